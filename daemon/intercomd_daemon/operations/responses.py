"""Converts domain objects to the messages of OperationsService: one pure function for each message.

Absent times stay absent; a dead letter holds the sender's envelope unchanged.
"""

from types import MappingProxyType

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import envelope_pb2, identity_pb2, ingest_pb2, operations_pb2, outcome_pb2
from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus
from intercomd_daemon.deliver.waiting import Waiting
from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Refusal
from intercomd_daemon.outcome import DeadLetter, Effect, Outcome
from intercomd_daemon.spool.record import unpack
from intercomd_daemon.spool.rows import LogUsage, WaitingRow
from intercomd_daemon.spool.trail import KeptOutcome

_MICROS = 1_000_000

CONNECTION_STATES = MappingProxyType(
    {
        ConnectionState.VERIFYING: operations_pb2.CONNECTION_STATE_VERIFYING,
        ConnectionState.DELIVERING: operations_pb2.CONNECTION_STATE_DELIVERING,
        ConnectionState.DOWN: operations_pb2.CONNECTION_STATE_DOWN,
        ConnectionState.SUSPENDED: operations_pb2.CONNECTION_STATE_SUSPENDED,
        ConnectionState.PAUSED: operations_pb2.CONNECTION_STATE_PAUSED,
        ConnectionState.INACTIVE: operations_pb2.CONNECTION_STATE_INACTIVE,
    }
)


def timestamp(seconds: float) -> Timestamp | None:
    """Converts Unix seconds, to the microsecond; None for 0.0, which means no time."""
    if not seconds:
        return None
    whole, micros = divmod(round(seconds * _MICROS), _MICROS)
    return Timestamp(seconds=whole, nanos=micros * 1000)


def duration(seconds: float) -> Duration:
    """Converts seconds, to the microsecond; negative ones, after the clock was set back, become 0."""
    whole, micros = divmod(round(max(0.0, seconds) * _MICROS), _MICROS)
    return Duration(seconds=whole, nanos=micros * 1000)


def adjustment(finding: Finding) -> envelope_pb2.Adjustment:
    """Converts an adjustment."""
    return envelope_pb2.Adjustment(reason=finding.reason, field=finding.field, message=finding.message)


def effect_message(effect: Effect) -> outcome_pb2.Effect:
    """Converts the effect of one call."""
    return outcome_pb2.Effect(
        kind=outcome_pb2.EffectKind.ValueType(effect.kind),
        event_name=effect.event_name,
        event_time=timestamp(effect.event_time),
        type=outcome_pb2.OutcomeType.ValueType(effect.type),
        reason=effect.reason,
        http_status=effect.http_status,
        intercom_request_id=effect.intercom_request_id,
        attempts=effect.attempts,
    )


def outcome_message(outcome: Outcome) -> outcome_pb2.Outcome:
    """Converts an outcome."""
    return outcome_pb2.Outcome(
        sequence=outcome.sequence,
        envelope_id=outcome.envelope_id,
        connection=outcome.connection,
        identity=identity_pb2.Identity(customer_id=outcome.customer_id, email=outcome.email),
        type=outcome_pb2.OutcomeType.ValueType(outcome.type),
        reason=outcome.reason,
        accept_time=timestamp(outcome.accept_time),
        end_time=timestamp(outcome.end_time),
        effects=[effect_message(effect) for effect in outcome.effects],
        adjustments=[adjustment(finding) for finding in outcome.adjustments],
        replay=outcome.replay,
        caller=outcome.caller,
        violations=[violation(finding) for finding in outcome.violations],
        forwarded_to=outcome.forwarded_to,
    )


def violation(finding: Finding) -> ingest_pb2.Violation:
    """Converts a violation."""
    return ingest_pb2.Violation(reason=finding.reason, field=finding.field, message=finding.message)


def kept_outcome_entry(kept: KeptOutcome) -> operations_pb2.TrailEntry:
    """Converts an outcome of the trail."""
    outcome = kept.outcome
    return operations_pb2.TrailEntry(
        time=timestamp(outcome.end_time),
        outcome=outcome_message(outcome),
        dead_letter_id=str(outcome.sequence) if kept.dead_letter else "",
    )


def refusal_entry(refusal: Refusal) -> operations_pb2.TrailEntry:
    """Converts a rejected or skipped envelope of the trail."""
    message = operations_pb2.Refusal(
        envelope_id=refusal.envelope_id,
        connection=refusal.connection,
        identity=identity_pb2.Identity(customer_id=refusal.customer_id, email=refusal.email),
        disposition=ingest_pb2.Disposition.ValueType(refusal.disposition),
        violations=[violation(finding) for finding in refusal.violations],
        caller=refusal.caller,
        event_name=refusal.event_name,
    )
    return operations_pb2.TrailEntry(time=timestamp(refusal.time), refusal=message)


def waiting_entry(found: WaitingRow, waiting: Waiting) -> operations_pb2.TrailEntry:
    """Converts a waiting envelope of the trail, with the sender's envelope unchanged."""
    envelope = unpack(found.row.data, AcceptedEnvelope)
    message = operations_pb2.WaitingEnvelope(
        envelope=envelope_pb2.Envelope.FromString(envelope.source),
        accept_time=timestamp(envelope.accept_time),
        reason=waiting.reason,
        next_attempt_time=timestamp(waiting.next_attempt),
        attempts=waiting.attempts,
        caller=envelope.caller,
        connection=found.connection,
        http_status=waiting.http_status,
        last_error=waiting.last_error,
        ahead=found.ahead,
        replay=envelope.replay,
    )
    return operations_pb2.TrailEntry(time=timestamp(envelope.accept_time), waiting=message)


def dead_letter_message(letter: DeadLetter) -> outcome_pb2.DeadLetter:
    """Converts a dead letter, with the sender's envelope unchanged."""
    return outcome_pb2.DeadLetter(
        dead_letter_id=str(letter.dead_letter_id),
        envelope=envelope_pb2.Envelope.FromString(letter.envelope.source),
        outcome=outcome_message(letter.outcome),
        answer_body=letter.answer_body,
    )


def waiting_message(waiting: AcceptedEnvelope | None) -> operations_pb2.GetWaitingEnvelopeResponse:
    """Converts a waiting envelope, with the sender's envelope unchanged; None: not found among the waiting ones."""
    if waiting is None:
        return operations_pb2.GetWaitingEnvelopeResponse(waiting=False)
    envelope = envelope_pb2.Envelope.FromString(waiting.source)
    return operations_pb2.GetWaitingEnvelopeResponse(
        waiting=True, envelope=envelope, accept_time=timestamp(waiting.accept_time)
    )


def connection_message(status: ConnectionStatus, usage: LogUsage, now: float) -> operations_pb2.ConnectionStatus:
    """Converts the status of a configured connection. The reason of a suspension has the form `REASON: remedy`."""
    suspended = status.state is ConnectionState.SUSPENDED
    reason, _, remedy = status.reason.partition(": ") if suspended else ("", "", "")
    probing = suspended or status.state is ConnectionState.DOWN
    message = _waiting(status.name, usage, now)
    message.MergeFrom(
        operations_pb2.ConnectionStatus(
            app_id=status.app_id,
            workspace_name=status.workspace_name,
            region=status.region,
            state=CONNECTION_STATES[status.state],
            dry_run=status.dry_run,
            budget=_budget(status) if status.budget_limit else None,
            calls_made=status.calls,
            last_error="; ".join(text for text in (remedy, status.last_error) if text),
            suspended_reason=reason,
            suspended_since=timestamp(status.since) if suspended else None,
            next_probe_time=timestamp(status.next_probe) if probing else None,
            upstream=status.upstream,
            upstream_spool_id=status.upstream_spool_id,
            delivered_by=status.delivered_by,
        )
    )
    return message


def unconfigured_message(name: str, usage: LogUsage, now: float) -> operations_pb2.ConnectionStatus:
    """Returns the status of a connection that was removed from the settings and still has envelopes in the spool."""
    message = _waiting(name, usage, now)
    message.state = operations_pb2.CONNECTION_STATE_UNCONFIGURED
    return message


def _waiting(name: str, usage: LogUsage, now: float) -> operations_pb2.ConnectionStatus:
    return operations_pb2.ConnectionStatus(
        name=name,
        waiting_normal=usage.normal,
        waiting_bulk=usage.bulk,
        parked_lanes=usage.parked_lanes,
        dead_letters=usage.dead_letters,
        oldest_age=duration(now - usage.oldest_accept_time) if usage.oldest_accept_time else None,
    )


def _budget(status: ConnectionStatus) -> operations_pb2.Budget:
    return operations_pb2.Budget(
        limit=status.budget_limit,
        remaining=max(0, status.budget_remaining),
        reset_time=timestamp(status.window_ends),
        plan=status.budget_plan,
        window=duration(status.window_seconds) if status.window_seconds else None,
    )
