"""Turns the gateway's results into completions of the agent's envelopes. Pure."""

from intercomd.v1.ingest_pb2 import DISPOSITION_ACCEPTED, DISPOSITION_DUPLICATE, DISPOSITION_SKIPPED
from intercomd_daemon.envelope import AcceptedEnvelope, Finding
from intercomd_daemon.forward.replies import Reply, Result
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.spool.completion import GIVEN_UP
from intercomd_daemon.spool.rows import Completion

DUPLICATE = "DUPLICATE"
REFUSED = "UPSTREAM_REFUSED"


def complete(
    key: int, envelope: AcceptedEnvelope, result: Result, connection: str, spool_id: str, now: float
) -> Completion:
    """Returns the completion that follows from the gateway's result; `spool_id` is that of the gateway's spool."""
    reason = result.violations[0].reason if result.violations else ""
    if result.disposition in {DISPOSITION_ACCEPTED, DISPOSITION_DUPLICATE}:
        reason = DUPLICATE if result.disposition == DISPOSITION_DUPLICATE else ""
        outcome = _outcome(envelope, connection, OutcomeType.FORWARDED, reason, now, (), result.adjustments, spool_id)
        return Completion(key, outcome)
    if result.disposition == DISPOSITION_SKIPPED:
        outcome = _outcome(envelope, connection, OutcomeType.SKIPPED, reason, now, result.violations)
        return Completion(key, outcome)
    return _dead_letter(key, envelope, connection, reason or REFUSED, now, result.violations)


def refuse(key: int, envelope: AcceptedEnvelope, reply: Reply, connection: str, now: float) -> Completion:
    """Returns a dead letter for an envelope that the gateway refuses even as the only one of a request."""
    violation = Finding(REFUSED, "", reply.message or reply.code)
    return _dead_letter(key, envelope, connection, REFUSED, now, (violation,))


def give_up(key: int, envelope: AcceptedEnvelope, connection: str, now: float) -> Completion:
    """Returns a dead letter for an envelope that an operator gives up."""
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
        envelope_id=envelope.envelope_id,
        connection=connection,
        customer_id=envelope.customer_id,
        email=envelope.email,
        type=kind,
        reason=reason,
        accept_time=envelope.accept_time,
        end_time=now,
        effects=(),
        adjustments=adjustments,
        replay=envelope.replay,
        traceparent=envelope.traceparent,
        caller=envelope.caller,
        violations=violations,
        forwarded_to=spool_id,
    )
