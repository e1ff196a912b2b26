"""How long to wait before trying again: exponential with full jitter, for ever. Randomness is an argument."""

# Figures of ours: the first wait is up to 1 s, no wait is over 5 minutes.
FIRST_SECONDS = 1.0
CAP_SECONDS = 300.0


def delay_seconds(failures: int, jitter: float) -> float:
    """The wait after so many failures in a row; `jitter` is drawn evenly from 0 to 1."""
    ceiling = min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 32))
    return ceiling * jitter
