"""The spool's files by their names and bytes, as SQLite's published format has it: no SQL, and no row is understood."""
