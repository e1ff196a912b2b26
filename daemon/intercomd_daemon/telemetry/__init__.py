"""What is told of the work: log lines, metrics, and the one report of outcomes that feeds both."""
