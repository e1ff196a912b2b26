"""intercomd: hands customer events, identities and attributes to Intercom, durably, in order, at the fewest calls."""

__version__ = "0.1.0"
