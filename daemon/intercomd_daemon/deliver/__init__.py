"""The way out: from the spool to Intercom, a lane at a time, at the fewest calls."""
