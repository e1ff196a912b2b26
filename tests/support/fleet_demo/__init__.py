"""The parts of `tests/fleet/demo.py`: agents, gateways on one PostgreSQL, and what is counted of them."""
