"""What operators and the mesh ask: health, metrics, status, outcomes, dead letters."""
