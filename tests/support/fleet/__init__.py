"""Models of a fleet, small enough to visit every state."""
