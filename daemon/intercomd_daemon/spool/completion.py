"""What an envelope leaves behind when it is completed, replayed or discarded: its outcome, dead letter or new row."""

from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of, user_of
from intercomd_daemon.outcome import DeadLetter, Effect, Outcome, OutcomeType, Progress, replay_of
from intercomd_daemon.spool import record
from intercomd_daemon.spool.rows import Completion, Incoming, position_of

GIVEN_UP = "GIVEN_UP"
"""The reason of the dead letter of an envelope that an operator gave up."""
ANSWER_BODY_MAX = 64 * 1024
"""Characters kept of Intercom's last refusal; Intercom's error bodies have a few KiB."""


def outcome_of(ended: Completion, sequence: int) -> Outcome:
    """Returns the outcome as the journal holds it."""
    return replace(ended.outcome, sequence=sequence)


def dead_letter_of(key: int, outcome: Outcome, dead_letter: AcceptedEnvelope, answer_body: str) -> DeadLetter:
    """Returns the dead letter of an outcome. Its id is the outcome's sequence, its origin the first acceptance."""
    return DeadLetter(
        dead_letter_id=outcome.sequence,
        envelope=replace(dead_letter, origin=dead_letter.origin or position_of(key)),
        outcome=outcome,
        answer_body=answer_body[:ANSWER_BODY_MAX],
    )


def shortened(outcome: Outcome) -> Outcome:
    """Returns the outcome with its refused effects alone, which a replay needs, and without their texts.

    The log line has the rest.
    """
    refused: list[Effect] = []
    reasons = {""}
    for each in outcome.effects:
        if each.type is OutcomeType.DEAD_LETTERED:
            # A reason is kept once.
            reason = "" if each.reason in reasons else each.reason
            reasons.add(each.reason)
            refused.append(
                Effect(each.kind, "", 0, each.type, reason, each.http_status, "", each.attempts, each.operation)
            )
    return replace(outcome, effects=tuple(refused), adjustments=())


def without_answer(data: bytes) -> bytes:
    """Returns the record of a `Progress` without Intercom's response."""
    return record.pack(replace(record.unpack(data, Progress), answer_body=""))


def replayed_row(letter: DeadLetter, priority: Priority) -> Incoming:
    """Returns the row that a replay appends: the refused calls, not entered in the duplicate window."""
    envelope = replay_of(letter)
    return Incoming(
        connection=letter.outcome.connection,
        priority=priority,
        lane=lane_of(envelope.customer_id, envelope.email),
        envelope_id=envelope.envelope_id,
        data=record.pack(envelope),
        recognised=False,
        email=envelope.email,
    )


def discarded_outcome(letter: DeadLetter, sequence: int, now: float) -> Outcome:
    """Returns the outcome that replaces the one of a discarded dead letter."""
    return replace(letter.outcome, type=OutcomeType.DISCARDED, sequence=sequence, end_time=now)


def damaged_outcome(
    connection: str, lane: str, envelope_id: str, accept_time: float, sequence: int, now: float
) -> Outcome:
    """Returns the outcome of an envelope whose record is corrupt: only the row's columns are known."""
    customer_id, email = user_of(lane)
    return Outcome(
        envelope_id=envelope_id,
        connection=connection,
        customer_id=customer_id,
        email=email,
        type=OutcomeType.DEAD_LETTERED,
        reason="DAMAGED",
        accept_time=accept_time,
        end_time=now,
        effects=(),
        adjustments=(),
        replay=0,
        sequence=sequence,
    )
