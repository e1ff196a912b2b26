"""Domain objects of delivery: the outcome of an accepted envelope, and the effect of each of its calls."""

from enum import IntEnum

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Finding


class OutcomeType(IntEnum):
    """The result of an envelope or of one of its calls; the numbers are those of outcome.proto."""

    DELIVERED = 1
    UNCHANGED = 2
    SKIPPED = 3
    DEAD_LETTERED = 4
    DISCARDED = 5
    ERASED = 6


class EffectKind(IntEnum):
    """The purpose of a call; the numbers are those of outcome.proto."""

    CONTACT = 1
    EVENT = 2


class Effect(msgspec.Struct, frozen=True, array_like=True):
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


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """The progress of a waiting envelope: the effects of its first calls, and the attempts of the next one."""

    effects: tuple[Effect, ...] = ()
    attempts: int = 0
    adjustments: tuple[Finding, ...] = ()
    """Made during delivery, such as attributes left out because Intercom refused to create them."""
    answer_body: str = ""
    """The last refusal among the effects."""
    not_found: int = 0
    """How often Intercom answered 404 for the contact of the next event."""


class Outcome(msgspec.Struct, frozen=True, array_like=True):
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


class DeadLetter(msgspec.Struct, frozen=True, array_like=True):
    """An envelope that Intercom refused permanently, with the response."""

    dead_letter_id: int
    envelope: AcceptedEnvelope
    """As it was accepted; `origin` is the position of its first acceptance."""
    outcome: Outcome
    answer_body: str
    """The body of Intercom's last refusal, cut at 64 KiB."""


def replay_of(letter: DeadLetter) -> AcceptedEnvelope:
    """Returns the envelope that a replay appends: only the refused calls, with their original times."""
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
