"""Decides when the duplicate window rotates. It has two generations of ids; each rotation drops the older one.

So an id is known for at least the window's length and at most twice that.
"""

GENERATION_IDS_MAX = 14_400_000
"""Intercom: "10,000 calls a minute" (I31), which is 14,400,000 a day. A generation of more ids ends early."""


def rotation_due(window_seconds: float, wall_seconds: float, elapsed_seconds: float, ids: int) -> bool:
    """Whether the young generation is full or old enough.

    Args:
        window_seconds: how long an id must be known.
        wall_seconds: since the last rotation by the wall clock, which may have jumped.
        elapsed_seconds: since the last rotation while the spool was open, by the monotonic clock. Both must have
            passed, so that no jump of the wall clock drops two generations within one window.
        ids: in the young generation.
    """
    return min(wall_seconds, elapsed_seconds) >= window_seconds or ids >= GENERATION_IDS_MAX
