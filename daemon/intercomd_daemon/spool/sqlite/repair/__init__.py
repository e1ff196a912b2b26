"""Maintenance of a spool that no daemon has open: verify, export and repair."""
