"""A gateway that answers as a test says."""
