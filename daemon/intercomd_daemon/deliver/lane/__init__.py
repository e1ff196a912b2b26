"""What one user needs next: the pending envelopes, the contact, and the next call."""
