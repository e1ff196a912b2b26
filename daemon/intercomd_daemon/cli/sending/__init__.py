"""Sending envelopes from a file or a pipe: lines, their ids, the way, and what is said about it."""
