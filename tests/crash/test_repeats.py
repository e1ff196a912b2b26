"""The law of repeats accepts one call of a user for each start of the daemon, and refuses others."""

from collections import Counter
from collections.abc import Sequence

import pytest

from intercomd_daemon.sandbox.events import Event
from kill_harness.laws import check_repeats

STARTS = (10.0, 20.0, 30.0)


def came(user: str, number: int, *times: float) -> list[Event]:
    """Returns the arrivals of an event."""
    return [Event("Step", "step", number, f"id-{user}", user, None, {}, "", time) for time in times]


@pytest.mark.parametrize(
    ("events", "lost", "repeats"),
    [
        pytest.param(came("u1", 1, 11.0), 0, 0, id="no repeat"),
        pytest.param(came("u1", 1, 19.9, 21.0), 0, 1, id="a call that arrived after the end of its process"),
        pytest.param(came("u1", 1, 11.0, 31.0), 0, 1, id="after a start that failed"),
        pytest.param(came("u1", 1, 11.0, 21.0) + came("u2", 1, 11.0, 21.0), 0, 2, id="one of each user"),
        pytest.param(came("u1", 1, 11.0, 12.0), 1, 0, id="after a lost answer"),
    ],
)
def test_repeats_after_starts_and_lost_answers_are_accepted(events: Sequence[Event], lost: int, repeats: int) -> None:
    laws: Counter[str] = Counter()
    check_repeats(events, STARTS, lost, laws)
    assert laws.total() == repeats


@pytest.mark.parametrize(
    ("events", "lost"),
    [
        pytest.param(came("u1", 1, 11.0, 12.0), 0, id="without a cause"),
        pytest.param(came("u1", 1, 11.0, 21.0, 22.0), 0, id="twice after one start"),
        pytest.param(came("u1", 1, 11.0, 21.0) + came("u1", 2, 12.0, 22.0), 1, id="two calls of a user"),
        pytest.param(came("u1", 1, 31.0, 32.0) + came("u2", 1, 31.0, 32.0), 1, id="more than the lost answers"),
    ],
)
def test_other_repeats_are_refused(events: Sequence[Event], lost: int) -> None:
    with pytest.raises(AssertionError):
        check_repeats(events, STARTS, lost, Counter())
