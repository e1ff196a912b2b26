"""A daemon that is killed in every phase of its life, its senders, and what must hold afterwards."""
