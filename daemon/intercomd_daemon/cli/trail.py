"""Reads entries of the trail: which envelope each is about, which are superseded, what happened, and why.

Pure: `explain` makes the calls and prints the text.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from types import MappingProxyType

from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import outcome_pb2
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import DISPOSITION_SKIPPED
from intercomd.v1.operations_pb2 import TrailEntry, WaitingEnvelope
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.outcomes import calls_of, reasons_of

_EVENT_CHARACTERS_MAX = 80


class EnvelopeState(StrEnum):
    """What became of an envelope. The value is shown."""

    WAITING = "waiting"
    DEAD_LETTERED = "dead-lettered"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    LEFT_OUT = "left out"
    DISCARDED = "discarded"
    ERASED = "erased"
    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    FORWARDED = "forwarded"
    UNKNOWN = "unknown to this version"


OUTCOME_STATES = MappingProxyType(
    {
        outcome_pb2.OUTCOME_TYPE_DELIVERED: EnvelopeState.DELIVERED,
        outcome_pb2.OUTCOME_TYPE_UNCHANGED: EnvelopeState.UNCHANGED,
        outcome_pb2.OUTCOME_TYPE_SKIPPED: EnvelopeState.LEFT_OUT,
        outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: EnvelopeState.DEAD_LETTERED,
        outcome_pb2.OUTCOME_TYPE_DISCARDED: EnvelopeState.DISCARDED,
        outcome_pb2.OUTCOME_TYPE_ERASED: EnvelopeState.ERASED,
        outcome_pb2.OUTCOME_TYPE_FORWARDED: EnvelopeState.FORWARDED,
    }
)
ARRIVED = frozenset({EnvelopeState.DELIVERED, EnvelopeState.UNCHANGED})
"""Intercom has the content of these envelopes."""


def state_of(entry: TrailEntry) -> EnvelopeState:
    """Returns what became of the envelope."""
    if entry.HasField("waiting"):
        return EnvelopeState.WAITING
    if entry.HasField("refusal"):
        return EnvelopeState.SKIPPED if entry.refusal.disposition == DISPOSITION_SKIPPED else EnvelopeState.REJECTED
    if entry.outcome.type == outcome_pb2.OUTCOME_TYPE_SKIPPED and entry.outcome.violations:
        return EnvelopeState.SKIPPED  # by the gateway, before its delivery
    return OUTCOME_STATES.get(entry.outcome.type, EnvelopeState.UNKNOWN)


def envelope_id_of(entry: TrailEntry) -> str:
    """Returns the id of the envelope."""
    if entry.HasField("waiting"):
        return entry.waiting.envelope.envelope_id
    return entry.refusal.envelope_id if entry.HasField("refusal") else entry.outcome.envelope_id


def connection_of(entry: TrailEntry) -> str:
    """Returns the name of the connection."""
    if entry.HasField("waiting"):
        return entry.waiting.connection
    return entry.refusal.connection if entry.HasField("refusal") else entry.outcome.connection


def identity_of(entry: TrailEntry) -> Identity:
    """Returns the user."""
    if entry.HasField("waiting"):
        return entry.waiting.envelope.identity
    return entry.refusal.identity if entry.HasField("refusal") else entry.outcome.identity


def content_of(entry: TrailEntry) -> str:
    """Returns what the envelope holds: `contact, event order-placed`. Empty if the entry does not have it."""
    if entry.HasField("outcome"):
        return calls_of(outcome_pb2.Outcome(effects=entry.outcome.effects)) if entry.outcome.effects else ""
    if entry.HasField("refusal"):
        name = entry.refusal.event_name
        return f"event {printable(name, _EVENT_CHARACTERS_MAX)}" if name else ""
    return content_of_envelope(entry.waiting.envelope)


def content_of_envelope(envelope: Envelope) -> str:
    """Returns what an envelope holds, as its sender published it: `contact, event order-placed`."""
    parts = ["contact"] if envelope.user_attributes or envelope.removed_user_attributes else []
    kind = envelope.WhichOneof("event")
    if kind == "custom_event":
        parts.append(f"event {printable(envelope.custom_event.name, _EVENT_CHARACTERS_MAX)}")
    elif kind == "other_event":
        parts.append(f"event {printable(envelope.other_event.type, _EVENT_CHARACTERS_MAX)}")
    elif kind:
        parts.append(kind.replace("_", " "))
    return ", ".join(parts)


def reasons_of_entry(entry: TrailEntry) -> str:
    """Returns the reasons, each once, in one line: `REQUEST_INVALID status 422`."""
    if entry.HasField("waiting"):
        return printable(entry.waiting.reason)
    if entry.HasField("refusal"):
        return printable(" ".join(dict.fromkeys(violation.reason for violation in entry.refusal.violations)))
    return reasons_of(entry.outcome)


def waits_behind(waiting: WaitingEnvelope) -> bool:
    """Returns whether an earlier envelope of the user is repeated, and this one waits for it."""
    return waiting.reason == "RETRYING" and not waiting.attempts and waiting.ahead > 0


def merge(lists: Iterable[Iterable[TrailEntry]]) -> list[TrailEntry]:
    """Returns the entries of several lists, each once, newest first."""
    entries = {entry.SerializeToString(deterministic=True): entry for listed in lists for entry in listed}
    return sorted(entries.values(), key=lambda entry: (_nanoseconds(entry.time), entry.outcome.sequence), reverse=True)


def superseded(entries: Sequence[TrailEntry]) -> list[bool]:
    """Returns for each entry whether a later entry about the same envelope supersedes it.

    A replay supersedes the outcome before it. A rejected or skipped envelope is superseded when its sender has sent it
    again. An envelope that was accepted under the same id after the duplicate window supersedes nothing.
    """
    newest: dict[tuple[str, str], int] = {}
    latest: dict[tuple[str, str, int], tuple[int, int]] = {}
    for entry in entries:
        envelope, at, run = _envelope(entry), _accepted(entry), _run(entry)
        newest[envelope] = max(newest.get(envelope, 0), at)
        latest[*envelope, at] = max(latest.get((*envelope, at), run), run)
    return [
        _accepted(entry) < newest[_envelope(entry)]
        if entry.HasField("refusal")
        else _run(entry) < latest[*_envelope(entry), _accepted(entry)]
        for entry in entries
    ]


def _envelope(entry: TrailEntry) -> tuple[str, str]:
    return connection_of(entry), envelope_id_of(entry)


def _accepted(entry: TrailEntry) -> int:
    """Returns when the daemon accepted or refused the envelope, in nanoseconds."""
    if entry.HasField("outcome"):
        return _nanoseconds(entry.outcome.accept_time)
    return _nanoseconds(entry.waiting.accept_time if entry.HasField("waiting") else entry.time)


def _run(entry: TrailEntry) -> tuple[int, int]:
    """Orders the entries of one accepted envelope: by replay, then as they entered the journal."""
    if entry.HasField("waiting"):
        return entry.waiting.replay, 0
    return entry.outcome.replay, entry.outcome.sequence


def _nanoseconds(time: Timestamp) -> int:
    return time.seconds * 1_000_000_000 + time.nanos
