"""Certificates for tests: real ones, of authorities that each test creates."""
