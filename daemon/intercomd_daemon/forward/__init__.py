"""The agent's other half: hands what the spool holds to a gateway, another daemon, and commits its results."""
