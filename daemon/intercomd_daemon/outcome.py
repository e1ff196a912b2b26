"""The nouns of the way out: how an accepted envelope ended, and what each of its calls did."""

from enum import IntEnum

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Note


class OutcomeType(IntEnum):
    """How an envelope, or one call of it, ended; the numbers are the contract's."""

    DELIVERED = 1
    UNCHANGED = 2
    SKIPPED = 3
    DEAD_LETTERED = 4
    DISCARDED = 5
    ERASED = 6


class EffectKind(IntEnum):
    """What a call was to do; the numbers are the contract's."""

    CONTACT = 1
    EVENT = 2


class Effect(msgspec.Struct, frozen=True, array_like=True):
    """What became of one call of an envelope."""

    kind: EffectKind
    event_name: str
    event_time: int
    """Unix seconds; 0 for a contact."""
    type: OutcomeType
    reason: str
    http_status: int
    """0 where no call was needed."""
    intercom_request_id: str
    attempts: int
    """Calls made for this effect, those that resolved the contact included."""


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far a waiting envelope is: what became of its first calls, and how often the next one was tried."""

    effects: tuple[Effect, ...] = ()
    attempts: int = 0
    adjustments: tuple[Note, ...] = ()
    """Made while delivering, such as attributes left out because Intercom refused to create them."""
    answer_body: str = ""
    """The last refusal among the effects."""
    not_found: int = 0
    """How often Intercom did not know the contact of the next event."""


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """The one end of an accepted envelope (and of each replay); a row of the journal."""

    envelope_id: str
    connection: str
    customer_id: str
    email: str
    type: OutcomeType
    reason: str
    accept_time: float
    end_time: float
    effects: tuple[Effect, ...]
    adjustments: tuple[Note, ...]
    replay: int
    sequence: int = 0
    """Its place in the journal; 0 until the spool has committed it."""
    traceparent: str = ""
    """The envelope's, as it came."""


class DeadLetter(msgspec.Struct, frozen=True, array_like=True):
    """An envelope that was refused for good, with Intercom's answer."""

    dead_letter_id: int
    envelope: AcceptedEnvelope
    """As it was accepted; `origin` is the position of its first acceptance."""
    outcome: Outcome
    answer_body: str
    """Intercom's last refusal, as text, cut at 64 KiB."""


def replay_of(letter: DeadLetter) -> AcceptedEnvelope:
    """The envelope that a replay appends: its refused calls only, with the times that they had."""
    envelope = letter.envelope
    refused: dict[EffectKind, list[bool]] = {EffectKind.CONTACT: [], EffectKind.EVENT: []}
    for effect in letter.outcome.effects:
        refused[effect.kind].append(effect.type is OutcomeType.DEAD_LETTERED)
    return msgspec.structs.replace(
        envelope,
        update=envelope.update if any(refused[EffectKind.CONTACT]) else {},
        events=tuple(event for event, again in zip(envelope.events, refused[EffectKind.EVENT], strict=True) if again),
        replay=envelope.replay + 1,
    )
