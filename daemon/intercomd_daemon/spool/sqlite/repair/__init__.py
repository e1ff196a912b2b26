"""A spool at rest: proving what of it is what was written, exporting that, and building a new file of it."""
