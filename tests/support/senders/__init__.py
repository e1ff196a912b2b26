"""Senders: through the client, and as bytes on a socket."""
