"""How the envelopes of a batch end, by the gateway's results. Pure."""

from intercomd_daemon.envelope import AcceptedEnvelope, Finding
from intercomd_daemon.forward.replies import Reply, Result
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.spool.base import Completion

DUPLICATE = "DUPLICATE"
REFUSED = "UPSTREAM_REFUSED"
GIVEN_UP = "GIVEN_UP"
_ACCEPTED, _DUPLICATE, _SKIPPED = 1, 2, 3


def complete(
    key: int, envelope: AcceptedEnvelope, result: Result, connection: str, spool_id: str, now: float
) -> Completion:
    """Returns how an envelope ends by its result; `spool_id` is the gateway's, `now` in Unix seconds."""
    reason = result.violations[0].reason if result.violations else ""
    if result.disposition in {_ACCEPTED, _DUPLICATE}:
        reason = DUPLICATE if result.disposition == _DUPLICATE else ""
        outcome = _outcome(envelope, connection, OutcomeType.FORWARDED, reason, now, (), result.adjustments, spool_id)
        return Completion(key, outcome)
    if result.disposition == _SKIPPED:
        outcome = _outcome(envelope, connection, OutcomeType.SKIPPED, reason, now, result.violations)
        return Completion(key, outcome)
    return _dead_letter(key, envelope, connection, reason or REFUSED, now, result.violations)


def refuse(key: int, envelope: AcceptedEnvelope, reply: Reply, connection: str, now: float) -> Completion:
    """Returns how an envelope ends whose request the gateway refuses though it holds this envelope alone."""
    violation = Finding(REFUSED, "", reply.message or reply.code)
    return _dead_letter(key, envelope, connection, REFUSED, now, (violation,))


def give_up(key: int, envelope: AcceptedEnvelope, connection: str, now: float) -> Completion:
    """Returns how an envelope ends that an operator gives up."""
    return _dead_letter(key, envelope, connection, GIVEN_UP, now, ())


def _dead_letter(
    key: int, envelope: AcceptedEnvelope, connection: str, reason: str, now: float, violations: tuple[Finding, ...]
) -> Completion:
    outcome = _outcome(envelope, connection, OutcomeType.DEAD_LETTERED, reason, now, violations)
    return Completion(key, outcome, envelope)


def _outcome(
    envelope: AcceptedEnvelope,
    connection: str,
    kind: OutcomeType,
    reason: str,
    now: float,
    violations: tuple[Finding, ...] = (),
    adjustments: tuple[Finding, ...] = (),
    spool_id: str = "",
) -> Outcome:
    return Outcome(
        envelope.envelope_id,
        connection,
        envelope.customer_id,
        envelope.email,
        kind,
        reason,
        envelope.accept_time,
        now,
        (),
        adjustments,
        envelope.replay,
        0,
        envelope.traceparent,
        envelope.caller,
        violations,
        spool_id,
    )
