"""The lane of one user: the pending envelopes, the contact, and the next call."""
