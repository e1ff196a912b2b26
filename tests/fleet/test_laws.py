"""The laws of a fleet accept what take-overs explain, and refuse everything else."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from fleet_harness.intercom_proxy import Call
from fleet_harness.laws import Struck, TakeOver, check_overlap, check_repeats, check_take_overs, take_overs_of
from intercomd_daemon.sandbox.events import Event
from kill_harness.plan import SECOND

FIRST, LOST, RELEASED, REGAINED = (
    TakeOver(10.0, "a", released=False),
    TakeOver(20.0, "b", released=False),
    TakeOver(30.0, "c", released=True),
    TakeOver(40.0, "c", released=False),
)
TAKE_OVERS = (FIRST, LOST, RELEASED, REGAINED)
NAMES = {"id-u1": "u1"}


def came(user: str, number: int, *times: float) -> list[Event]:
    """Returns the arrivals of an event."""
    return [Event("Step", "step", number, f"id-{user}", user, None, {}, "", time) for time in times]


def call(daemon: str, begun: float, ended: float, user: str = "u1") -> Call:
    return Call(daemon, begun, ended, "POST", "/events", user)


def line(at: float, event: str, connection: str = SECOND, **fields: str) -> dict[str, Any]:
    return {
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
        "event": event,
        "connection": connection,
        **fields,
    }


@pytest.mark.parametrize(
    ("events", "repeats"),
    [
        pytest.param(came("u1", 1, 11.0), 0, id="no repeat"),
        pytest.param(came("u1", 1, 19.0, 21.0), 1, id="the next owner repeats a call"),
        pytest.param(came("u1", 1, 12.0, 29.0), 1, id="the rate limit delays a repeat"),
        pytest.param(came("u1", 1, 19.0, 21.0) + came("u2", 1, 19.0, 21.0), 2, id="one of each lane"),
        pytest.param(came("u1", 1, 39.0, 41.0), 1, id="a daemon that lost its lease repeats its own call"),
        pytest.param(came("u1", 1, 19.0, 21.0) + came("u1", 2, 39.0, 41.0), 2, id="one after each take-over"),
        pytest.param(
            came("u1", 1, 19.0, 42.0) + came("u1", 2, 39.0, 41.0), 2, id="one that the next owner did not reach"
        ),
        pytest.param(came("u1", 1, 19.0, 39.0, 41.0), 2, id="the same call twice"),
    ],
)
def test_repeats_after_take_overs_are_accepted(events: Sequence[Event], repeats: int) -> None:
    laws: Counter[str] = Counter()
    assert check_repeats(events, TAKE_OVERS, laws) == repeats
    assert laws.total() == 3


@pytest.mark.parametrize(
    ("events", "message"),
    [
        pytest.param(came("u1", 1, 21.0, 22.0), "no take-over between", id="an owner repeats a call"),
        pytest.param(came("u1", 1, 11.0, 11.0), "no take-over between", id="an owner repeats a call at once"),
        pytest.param(
            came("u1", 1, 11.0, 21.0, 22.0), "no take-over between", id="it repeats the call that it may repeat"
        ),
        pytest.param(
            came("u1", 1, 18.0, 21.0) + came("u1", 2, 19.0, 22.0), "2 repeats of u1", id="two calls of a lane"
        ),
        pytest.param(came("u1", 1, 29.0, 31.0), "after a release", id="a repeat after a release"),
        pytest.param(came("u1", 1, 29.0, 41.0), "after a release", id="a repeat after a release and a take-over"),
        pytest.param(came("u1", 1, 41.0, 51.0), "no take-over between", id="after the last take-over"),
        pytest.param(came("u1", 1, 8.0, 9.0), "before the first take-over", id="without any lease"),
    ],
)
def test_other_repeats_are_refused(events: Sequence[Event], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_repeats(events, TAKE_OVERS, Counter())


@pytest.mark.parametrize(
    ("calls", "late"),
    [
        pytest.param([call("a", 18.0, 19.0), call("b", 21.0, 22.0)], 0, id="one after the other"),
        pytest.param(
            [call("a", 19.0, 20.5), call("b", 21.0, 22.0)], 0, id="late, and before the first of the next owner"
        ),
        pytest.param([call("a", 19.0, 21.5), call("b", 21.0, 22.0)], 1, id="one of a lane"),
        pytest.param([call("a", 19.0, 24.0), *(call("b", 21.0 + n, 22.0 + n) for n in range(5))], 1, id="a long one"),
        pytest.param([call("a", 19.0, 21.5), call("a", 19.0, 21.5, "u2"), call("b", 21.0, 22.0)], 2, id="two lanes"),
        pytest.param(
            [call("b", 29.0, 29.5), call("c", 31.0, 39.0), call("c", 41.0, 42.0)], 0, id="the same daemon again"
        ),
    ],
)
def test_late_calls_of_each_lane_are_counted(calls: Sequence[Call], late: int) -> None:
    assert check_overlap(calls, TAKE_OVERS, NAMES, Counter()) == late


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        pytest.param(
            [call("a", 19.0, 21.5), call("a", 20.5, 21.6, "id-u1"), call("b", 21.0, 22.0)], "2 calls of u1", id="two"
        ),
        pytest.param([call("c", 31.0, 32.0), call("b", 29.5, 31.5)], "a call of u1", id="after a release"),
        pytest.param(
            [call("b", 21.0, 22.0), call("a", 23.0, 24.0), call("a", 25.0, 26.0)], "2 calls of u1", id="without a lease"
        ),
    ],
)
def test_other_late_calls_are_refused(calls: Sequence[Call], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_overlap(calls, TAKE_OVERS, NAMES, Counter())


def test_take_overs_are_read_from_the_logs_of_daemons_with_other_clocks() -> None:
    """A daemon that stops or moves the workspace releases it, unless it loses the lease before that is done."""
    logs = {
        "a": [
            {"event": "", "text": "no line of the log"},
            line(10.0, "workspace_acquired"),
            line(10.0, "workspace_acquired", "default"),
            line(30.0, "workspace_acquired"),
            line(39.0, "draining"),
            line(45.0, "draining"),
            line(50.0, "workspace_acquired"),
            line(58.0, "workspace_lost"),
            line(59.0, "draining"),
        ],
        "b": [
            line(3_620.0, "workspace_acquired"),
            line(3_629.0, "workspace_moved"),
            line(3_640.0, "workspace_acquired"),
            line(3_660.0, "workspace_acquired"),
            line(3_665.0, "draining"),
        ],
        "c": [line(70.0, "workspace_acquired")],
    }
    assert take_overs_of(logs, {"b": 3_600.0}) == [
        TakeOver(10.0, "a", released=False),
        TakeOver(20.0, "b", released=False),  # of a daemon that was killed
        TakeOver(30.0, "a", released=True),  # moved
        TakeOver(40.0, "b", released=True),  # stopped
        TakeOver(50.0, "a", released=False),  # killed
        TakeOver(60.0, "b", released=False),  # lost before the stop
        TakeOver(70.0, "c", released=False),  # lost during the stop
    ]


def test_take_overs_without_a_blow_are_refused_on_a_quiet_machine() -> None:
    blows = [Struck("slow_flush", 12.0, 0), Struck("kill_owner", 15.0, 1)]
    check_take_overs(TAKE_OVERS[:2], blows)
    with pytest.raises(AssertionError, match="2 take-overs after kill_owner"):
        check_take_overs(TAKE_OVERS[:3], blows)
