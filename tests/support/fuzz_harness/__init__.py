"""Random and mutated calls, and what must hold after each."""
