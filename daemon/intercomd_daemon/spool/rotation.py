"""Decides when the duplicate window turns: two generations of ids, of which the older is dropped at each turn.

An id is known for at least the window's length and at most twice that. What a generation is kept in, it does not know.
"""

GENERATION_IDS_MAX = 14_400_000
"""Intercom: "10,000 calls a minute per app", which is what a day can take away; more ids than that turn it early."""


def rotation_due(window_seconds: float, wall_seconds: float, elapsed_seconds: float, ids: int) -> bool:
    """Whether the younger generation is full or old enough.

    Args:
        window_seconds: how long an id must be known.
        wall_seconds: since the last turn by the wall clock, which may have jumped.
        elapsed_seconds: since the last turn while the spool was open, by the monotonic clock. Both must have passed,
            so that no jump drops two generations within one window.
        ids: in the younger generation.
    """
    return min(wall_seconds, elapsed_seconds) >= window_seconds or ids >= GENERATION_IDS_MAX
