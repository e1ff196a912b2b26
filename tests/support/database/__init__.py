"""A real PostgreSQL server for each test process, and a database for each test."""
