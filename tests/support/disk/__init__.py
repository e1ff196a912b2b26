"""A disk that records its operations, fails on demand and loses power, below a real SQLite."""
