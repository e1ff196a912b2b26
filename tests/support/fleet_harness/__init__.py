"""Daemons on one PostgreSQL that are killed, frozen and cut off while senders publish, and what must hold then."""
