"""Forwards the envelopes in an agent's spool to a gateway, another daemon, and commits the results."""
