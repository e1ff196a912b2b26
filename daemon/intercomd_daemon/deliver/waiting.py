"""Why an accepted envelope waits, for the trail: from its connection, its lane in memory, and the spool. Pure."""

from enum import StrEnum
from typing import NamedTuple

from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus, LaneState
from intercomd_daemon.outcome import Progress
from intercomd_daemon.spool.record import RecordDamaged, unpack
from intercomd_daemon.spool.rows import WaitingRow


class WaitingReason(StrEnum):
    """Why an envelope waits; `reasons.py` has cause and remedy."""

    DOWN = "DOWN"
    INACTIVE = "INACTIVE"
    IN_FLIGHT = "IN_FLIGHT"
    PAUSED = "PAUSED"
    RATE_LIMITED = "RATE_LIMITED"
    RETRYING = "RETRYING"
    SUSPENDED = "SUSPENDED"
    UNCONFIGURED = "UNCONFIGURED"
    VERIFYING = "VERIFYING"
    WAITING_TURN = "WAITING_TURN"


class Waiting(NamedTuple):
    """Why one envelope waits."""

    reason: WaitingReason
    next_attempt: float
    """Unix seconds; 0.0: at its turn, or not known."""
    attempts: int
    """Calls made for its next effect."""
    http_status: int
    last_error: str


_STATES = {
    ConnectionState.INACTIVE: WaitingReason.INACTIVE,
    ConnectionState.PAUSED: WaitingReason.PAUSED,
    ConnectionState.SUSPENDED: WaitingReason.SUSPENDED,
    ConnectionState.VERIFYING: WaitingReason.VERIFYING,
    ConnectionState.DOWN: WaitingReason.DOWN,
}


def explain_waiting(found: WaitingRow, status: ConnectionStatus | None, lane: LaneState | None, now: float) -> Waiting:
    """Returns why a row waits.

    `status` is None if the settings have no such connection, `lane` if the row's lane is not in memory. `now` is Unix
    seconds. A reason of the whole connection takes precedence over one of the row's user.
    """
    if lane is None:
        own, head = _progress(found.row.progress), _progress(found.head_progress)
        lane = LaneState(
            in_flight=False,
            failures=found.attempts,
            retry_at=found.due if found.due > now else 0.0,
            attempts=own.attempts,
            http_status=head.http_status,
            last_error=head.last_error,
        )
    reason, next_attempt = _reason(status, lane, now)
    return Waiting(reason, next_attempt, lane.attempts, lane.http_status, lane.last_error)


def _reason(status: ConnectionStatus | None, lane: LaneState, now: float) -> tuple[WaitingReason, float]:
    if status is None:
        return WaitingReason.UNCONFIGURED, 0.0
    if lane.in_flight:
        return WaitingReason.IN_FLIGHT, 0.0
    if status.state in _STATES:
        # An operator or the settings stop the calls: the next probe does not make the envelope leave.
        stopped = status.state in {ConnectionState.PAUSED, ConnectionState.INACTIVE}
        return _STATES[status.state], 0.0 if stopped else status.next_probe
    if lane.failures or lane.retry_at > now:
        # Without failures of its own calls, the lane waits for another attempt to read or change the attribute list.
        return WaitingReason.RETRYING, lane.retry_at
    if status.budget_remaining <= 0 and status.window_ends > now:
        return WaitingReason.RATE_LIMITED, status.window_ends
    return WaitingReason.WAITING_TURN, 0.0


def _progress(data: bytes) -> Progress:
    try:
        return unpack(data, Progress) if data else Progress()
    except RecordDamaged:
        return Progress()
