"""Sends envelopes from a file or a pipe to a daemon: the parts of `intercomd send`."""
