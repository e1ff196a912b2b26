"""Why an envelope waits."""

from collections.abc import Callable

import msgspec
import pytest

from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus, LaneState
from intercomd_daemon.deliver.waiting import Waiting, WaitingReason, explain_waiting
from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import Progress
from intercomd_daemon.reasons import REASONS, ReasonKind
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import Row, WaitingRow

NOW = 1_750_000_000.0
Make = Callable[..., ConnectionStatus]
IDLE = LaneState(False, 0, 0.0, 0, 0, "")
FAILING = LaneState(False, 2, NOW + 1.5, 2, 500, "track event: HTTP_500")


def status(state: ConnectionState = ConnectionState.DELIVERING, **changes: object) -> ConnectionStatus:
    calm = ConnectionStatus(
        name="default",
        state=state,
        reason="",
        since=0.0,
        region="us",
        budget_limit=167,
        budget_plan=164,
        budget_remaining=160,
        window_seconds=10.0,
        window_ends=NOW + 4.0,
    )
    return msgspec.structs.replace(calm, **changes)


def row(progress: Progress | None = None, head: Progress | None = None, **changes: object) -> WaitingRow:
    made = Row(1, Priority.NORMAL, "c:ann", b"", pack(progress) if progress else b"")
    parked = {"ahead": 0, "parked": False, "due": 0.0, "attempts": 0, **changes}
    return WaitingRow("default", made, head_progress=pack(head) if head else b"", **parked)  # type: ignore[arg-type]


def test_waiting_reasons_are_the_registered_ones() -> None:
    registered = {reason.code for reason in REASONS if reason.kind is ReasonKind.WAITING}
    assert {str(reason) for reason in WaitingReason} == registered


@pytest.mark.parametrize("lane", [IDLE, FAILING])
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ConnectionState.VERIFYING, WaitingReason.VERIFYING),
        (ConnectionState.DOWN, WaitingReason.DOWN),
        (ConnectionState.SUSPENDED, WaitingReason.SUSPENDED),
    ],
)
def test_failing_connection_is_the_reason_before_the_lane(state: ConnectionState, reason: str, lane: LaneState) -> None:
    waiting = explain_waiting(row(), status(state, next_probe=NOW + 30.0), lane, NOW)
    assert waiting == Waiting(reason, NOW + 30.0, lane.attempts, lane.http_status, lane.last_error)


@pytest.mark.parametrize("lane", [IDLE, FAILING])
@pytest.mark.parametrize("next_probe", [0.0, NOW + 30.0])
@pytest.mark.parametrize(
    ("state", "reason"),
    [(ConnectionState.PAUSED, WaitingReason.PAUSED), (ConnectionState.INACTIVE, WaitingReason.INACTIVE)],
)
def test_stopped_connection_is_the_reason_and_has_no_next_attempt(
    state: ConnectionState, reason: str, next_probe: float, lane: LaneState
) -> None:
    """A paused connection whose access is wrong is still probed, but the envelopes wait for the operator."""
    waiting = explain_waiting(row(), status(state, next_probe=next_probe), lane, NOW)
    assert waiting == Waiting(reason, 0.0, lane.attempts, lane.http_status, lane.last_error)


def test_removed_connection_is_the_reason() -> None:
    assert explain_waiting(row(), None, None, NOW) == Waiting(WaitingReason.UNCONFIGURED, 0.0, 0, 0, "")


def test_call_in_flight_is_the_reason_even_while_paused() -> None:
    lane = FAILING._replace(in_flight=True)
    waiting = explain_waiting(row(), status(ConnectionState.PAUSED), lane, NOW)
    assert waiting == Waiting(WaitingReason.IN_FLIGHT, 0.0, 2, 500, "track event: HTTP_500")


def test_failing_user_is_retried_at_a_time() -> None:
    waiting = explain_waiting(row(), status(budget_remaining=0), FAILING, NOW)
    assert waiting == Waiting(WaitingReason.RETRYING, NOW + 1.5, 2, 500, "track event: HTTP_500")


def test_parked_user_is_described_by_what_the_spool_holds() -> None:
    head = Progress(attempts=5, http_status=503, last_error="update contact: HTTP_503")
    parked = {"parked": True, "due": NOW + 60.0, "attempts": 5}
    first = explain_waiting(row(head, head, **parked), status(), None, NOW)
    assert first == Waiting(WaitingReason.RETRYING, NOW + 60.0, 5, 503, "update contact: HTTP_503")
    later = explain_waiting(row(None, head, **parked), status(), None, NOW)
    assert later == first._replace(attempts=0)
    assert explain_waiting(row(None, head, **parked), status(), None, NOW + 61.0).next_attempt == 0.0


def test_parked_user_whose_calls_do_not_fail_waits_for_its_turn() -> None:
    waiting = explain_waiting(row(parked=True), status(), None, NOW)
    assert waiting == Waiting(WaitingReason.WAITING_TURN, 0.0, 0, 0, "")


def test_progress_that_cannot_be_read_says_nothing() -> None:
    damaged = row()._replace(head_progress=b"damaged")
    assert explain_waiting(damaged, status(), None, NOW).reason is WaitingReason.WAITING_TURN


@pytest.mark.parametrize(
    ("remaining", "window_ends", "reason", "next_attempt"),
    [
        (0, NOW + 4.0, WaitingReason.RATE_LIMITED, NOW + 4.0),
        (-3, NOW + 4.0, WaitingReason.RATE_LIMITED, NOW + 4.0),
        (1, NOW + 4.0, WaitingReason.WAITING_TURN, 0.0),
        (0, NOW - 4.0, WaitingReason.WAITING_TURN, 0.0),
    ],
)
def test_used_up_budget_is_the_reason_until_its_window_ends(
    remaining: int, window_ends: float, reason: str, next_attempt: float
) -> None:
    standing = status(budget_remaining=remaining, window_ends=window_ends)
    assert explain_waiting(row(), standing, IDLE, NOW)[:2] == (reason, next_attempt)
