"""A connection's deliveries: the worker with a real spool, dialogues with a lane, and the fault matrix."""
