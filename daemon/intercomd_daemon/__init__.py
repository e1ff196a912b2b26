"""intercomd: hands customer events, identities and attributes to Intercom, durably, in order, at the fewest calls."""
