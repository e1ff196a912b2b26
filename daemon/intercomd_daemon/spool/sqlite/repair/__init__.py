"""Proving and repairing a spool's file: what of it is what was written, and a new file of that."""
