"""Domain objects of delivery: the outcome of an accepted envelope, and the effect of each of its calls."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Operation, TrackEvent


class OutcomeType(IntEnum):
    """The result of an envelope or of one of its calls; the numbers are those of outcome.proto."""

    DELIVERED = 1
    UNCHANGED = 2
    SKIPPED = 3
    DEAD_LETTERED = 4
    DISCARDED = 5
    ERASED = 6
    FORWARDED = 7


class EffectKind(IntEnum):
    """The purpose of a call; the numbers are those of outcome.proto."""

    CONTACT = 1
    EVENT = 2


class Effect(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The effect of one call of an envelope."""

    kind: EffectKind
    event_name: str
    event_time: int
    """Unix seconds; 0 for a contact."""
    type: OutcomeType
    reason: str
    http_status: int
    """0 if no call was needed."""
    intercom_request_id: str
    attempts: int
    """Calls made for this effect, including those that resolved the contact."""
    operation: int = -1
    """The index of the envelope's operation; -1 in records of 0.1, see `index_effects`."""


class Progress(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The progress of a waiting envelope: the effects of its first calls, and the attempts of the next one."""

    effects: tuple[Effect, ...] = ()
    attempts: int = 0
    adjustments: tuple[Finding, ...] = ()
    """Made during delivery, such as attributes left out because Intercom refused to create them."""
    answer_body: str = ""
    """The last refusal among the effects."""
    not_found: int = 0
    """How often Intercom answered 404 for the contact of the next event."""
    http_status: int = 0
    """Of the last call that failed; 0: none did, or Intercom did not answer."""
    last_error: str = ""
    """That failure, for people; empty: no call failed."""
    batch_sequence: int = 0
    """Of the first row of a batch that is being forwarded: the batch's sequence; 0 for all other rows."""
    batch_last_key: int = 0
    """Of the same row: the key of the batch's last row; 0 for all other rows."""


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The outcome of an accepted envelope or of a replay; a row of the journal."""

    envelope_id: str
    connection: str
    customer_id: str
    email: str
    type: OutcomeType
    reason: str
    accept_time: float
    end_time: float
    effects: tuple[Effect, ...]
    adjustments: tuple[Finding, ...]
    replay: int
    sequence: int = 0
    """The position in the journal; 0 until the spool has committed it."""
    traceparent: str = ""
    """That of the envelope, unchanged."""
    caller: str = ""
    """That of the envelope."""
    violations: tuple[Finding, ...] = ()
    """Why a gateway rejected or skipped it."""
    forwarded_to: str = ""
    """The spool of the gateway that accepted it."""


class DeadLetter(msgspec.Struct, frozen=True, array_like=True):
    """An envelope that Intercom refused permanently, with the response."""

    dead_letter_id: int
    envelope: AcceptedEnvelope
    """As it was accepted; `origin` is the position of its first acceptance."""
    outcome: Outcome
    answer_body: str
    """The body of Intercom's last refusal, cut at 64 KiB."""


class Description(msgspec.Struct, frozen=True, gc=False):
    """What the effect of an operation is called."""

    kind: EffectKind
    name: str = ""
    time: int = 0
    """Unix seconds; 0 if the operation has no time."""


def describe(operation: Operation) -> Description:
    """Returns what the effect of an operation is called."""
    if isinstance(operation, TrackEvent):
        return Description(EffectKind.EVENT, operation.name, operation.created_at)
    return Description(EffectKind.CONTACT)


def index_effects(effects: Sequence[Effect], operations: Sequence[Operation]) -> tuple[Effect, ...]:
    """Returns the effects, each with the index of its operation.

    Effects of 0.1 name no operation. They are in the order of the operations, so each is of the next one of its kind.
    """
    indexed: list[Effect] = []
    for effect in effects:
        index = effect.operation
        if index < 0:
            start = indexed[-1].operation + 1 if indexed else 0
            places = range(start, len(operations))
            index = next((place for place in places if describe(operations[place]).kind is effect.kind), start)
        indexed.append(msgspec.structs.replace(effect, operation=index))
    return tuple(indexed)


def replay_of(letter: DeadLetter) -> AcceptedEnvelope:
    """Returns the envelope that a replay appends: only the refused operations, with their original times."""
    envelope = letter.envelope
    refused = {
        effect.operation
        for effect in index_effects(letter.outcome.effects, envelope.operations)
        if effect.type is OutcomeType.DEAD_LETTERED
    }
    return msgspec.structs.replace(
        envelope,
        operations=tuple(operation for index, operation in enumerate(envelope.operations) if index in refused),
        replay=envelope.replay + 1,
    )
