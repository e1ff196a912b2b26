"""The parts of ingest, each without a daemon."""
