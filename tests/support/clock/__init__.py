"""An event loop in virtual time."""
