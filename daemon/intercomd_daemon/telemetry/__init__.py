"""Log lines and metrics, and the report of outcomes and calls that feeds both."""
