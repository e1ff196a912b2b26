"""The daemon and its commands as processes."""
