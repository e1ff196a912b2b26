"""Reads what `deploy/` holds."""
