"""What becomes of an envelope when it ends, is replayed or is discarded; where that is kept, it does not know."""

from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of, user_of
from intercomd_daemon.outcome import DeadLetter, Outcome, OutcomeType, replay_of
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import Ended, Incoming, position_of

ANSWER_BODY_MAX = 64 * 1024
"""Characters kept of Intercom's last refusal: enough for any error body, which Intercom keeps under a few KiB."""


def concluded(ended: Ended, sequence: int) -> Outcome:
    """The outcome as the journal holds it."""
    return replace(ended.outcome, sequence=sequence)


def letter_of(key: int, outcome: Outcome, buried: AcceptedEnvelope, answer_body: str) -> DeadLetter:
    """The dead letter of an outcome, named by the outcome's sequence, its origin the first acceptance."""
    return DeadLetter(
        dead_letter_id=outcome.sequence,
        envelope=replace(buried, origin=buried.origin or position_of(key)),
        outcome=outcome,
        answer_body=answer_body[:ANSWER_BODY_MAX],
    )


def again(letter: DeadLetter, priority: Priority) -> Incoming:
    """The row that a replay appends: the refused calls, known to no duplicate window."""
    envelope = replay_of(letter)
    return Incoming(
        connection=letter.outcome.connection,
        priority=priority,
        lane=lane_of(envelope.customer_id, envelope.email),
        envelope_id=envelope.envelope_id,
        data=record.pack(envelope),
        recognised=False,
    )


def discarded(letter: DeadLetter, sequence: int, now: float) -> Outcome:
    """The outcome that takes the place of a discarded letter's."""
    return replace(letter.outcome, type=OutcomeType.DISCARDED, sequence=sequence, end_time=now)


def damaged(connection: str, lane: str, envelope_id: str, accept_time: float, sequence: int, now: float) -> Outcome:
    """The outcome of an envelope whose record is not what was written: of whom it was is known, and nothing else."""
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
