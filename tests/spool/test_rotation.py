import pytest

from intercomd_daemon.spool.rotation import GENERATION_IDS_MAX, rotation_due


@pytest.mark.parametrize(
    ("wall_seconds", "elapsed_seconds", "ids", "expected"),
    [
        (99.0, 99.0, 5, False),
        (100.0, 100.0, 5, True),
        (100.0, 99.0, 5, False),
        (99.0, 100.0, 5, False),
        (1e9, 5.0, 5, False),  # The wall clock was set forward.
        (-1e9, 500.0, 5, False),  # It was set back.
        (0.0, 0.0, GENERATION_IDS_MAX - 1, False),
        (0.0, 0.0, GENERATION_IDS_MAX, True),
    ],
)
@pytest.mark.fills("spool.rotation.GENERATION_IDS_MAX")
def test_window_rotates_when_both_clocks_agree_or_it_is_full(
    wall_seconds: float, elapsed_seconds: float, ids: int, *, expected: bool
) -> None:
    assert rotation_due(100.0, wall_seconds, elapsed_seconds, ids) is expected
