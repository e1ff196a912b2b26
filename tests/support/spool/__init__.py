"""A spool filled with everything, its model and snapshot, and ways to damage it."""
