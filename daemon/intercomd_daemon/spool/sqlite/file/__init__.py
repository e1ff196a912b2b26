"""The spool's files by their names and bytes, in SQLite's published format: no SQL, no meaning of rows."""
