"""What operators, probes and scrapers call: health, metrics, status, outcomes, dead letters."""
