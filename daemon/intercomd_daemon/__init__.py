"""intercomd: delivers customer events, identities and attributes to Intercom, durably, in order, in few calls."""

__version__ = "0.2.0"
