"""Reads the records of 0.1, in which an envelope was at most one update of the contact and then its events."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Scalar, TrackEvent, operations_of
from intercomd_daemon.outcome import DeadLetter, Outcome


class _Event(msgspec.Struct, frozen=True, array_like=True):
    name: str
    created_at: int
    metadata: bytes


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    envelope_id: str
    customer_id: str
    email: str
    accept_time: float
    update: dict[str, Scalar]
    events: tuple[_Event, ...]
    adjustments: tuple[Finding, ...]
    traceparent: str
    source: bytes
    replay: int = 0
    origin: int = 0
    times: tuple[str, ...] = ()


class _DeadLetter(msgspec.Struct, frozen=True, array_like=True):
    dead_letter_id: int
    envelope: _Envelope
    outcome: Outcome
    answer_body: str


def _envelope(old: _Envelope) -> AcceptedEnvelope:
    events = tuple(TrackEvent(event.name, event.created_at, event.metadata) for event in old.events)
    return AcceptedEnvelope(
        old.envelope_id,
        old.customer_id,
        old.email,
        old.accept_time,
        operations_of(old.customer_id, old.email, old.update, events, old.times),
        old.adjustments,
        old.traceparent,
        old.source,
        old.replay,
        old.origin,
    )


def _read_envelope(body: memoryview) -> AcceptedEnvelope:
    return _envelope(msgspec.msgpack.decode(body, type=_Envelope))


def _read_dead_letter(body: memoryview) -> DeadLetter:
    old = msgspec.msgpack.decode(body, type=_DeadLetter)
    return DeadLetter(old.dead_letter_id, _envelope(old.envelope), old.outcome, old.answer_body)


UPGRADES: MappingProxyType[type[msgspec.Struct], Callable[[memoryview], Any]] = MappingProxyType(
    {AcceptedEnvelope: _read_envelope, DeadLetter: _read_dead_letter}
)
"""How to read the records whose shape has changed since; all others are read as they are."""
