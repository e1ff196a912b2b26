"""Explains what became of a user's envelopes, in sentences: the list calls to make, and the text for their responses.

Pure: the caller makes the calls and prints the text.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import operations_pb2, outcome_pb2
from intercomd_daemon.reasons import Kind, remedy_of

DAMAGED = "DAMAGED"
"""The reason of an envelope whose record is corrupt: the only one without a dead letter."""
OUTCOME_SENTENCES = MappingProxyType(
    {
        outcome_pb2.OUTCOME_TYPE_DELIVERED: "Intercom accepted it.",
        outcome_pb2.OUTCOME_TYPE_UNCHANGED: "No call was needed: all values equal those sent last.",
        outcome_pb2.OUTCOME_TYPE_SKIPPED: "It was left out on purpose.",
        outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: "Intercom refused it permanently.",
        outcome_pb2.OUTCOME_TYPE_DISCARDED: "Intercom refused it permanently, and an operator discarded it.",
        outcome_pb2.OUTCOME_TYPE_ERASED: "It was erased together with its user.",
        outcome_pb2.OUTCOME_TYPE_FORWARDED: "An upstream daemon accepted it.",
    }
)


class Filters(NamedTuple):
    """Filters of the list calls about a user or an envelope, one call for each filter."""

    outcomes: tuple[operations_pb2.OutcomeFilter, ...]
    dead_letters: tuple[operations_pb2.DeadLetterFilter, ...]


class Explanation(msgspec.Struct, frozen=True):
    """What became of one envelope, or of one replay of it, as text."""

    envelope_id: str
    heading: str
    """The envelope, its user, connection and times."""
    end: str
    """The outcome, as a sentence."""
    details: tuple[str, ...]
    """A line for each call, then one for each adjustment."""
    remedy: str
    """What to do; empty if nothing."""


class _Envelope(NamedTuple):
    """Identifies an accepted envelope: after the duplicate window another envelope may have the same id."""

    connection: str
    envelope_id: str
    accept_seconds: int
    accept_nanos: int


class _Run(NamedTuple):
    """Identifies an envelope or one replay of it; equal for a dead letter and its outcome."""

    envelope: _Envelope
    replay: int


def filters_for(identifier: str) -> Filters:
    """Returns the filters for an envelope id, a customer id or, if it contains `@`, an email."""
    outcome, letter = operations_pb2.OutcomeFilter, operations_pb2.DeadLetterFilter
    outcomes = [outcome(envelope_id=identifier), outcome(customer_id=identifier)]
    letters = [letter(envelope_ids=[identifier]), letter(customer_id=identifier)]
    if "@" in identifier:
        outcomes.append(outcome(email=identifier))
        letters.append(letter(email=identifier))
    return Filters(tuple(outcomes), tuple(letters))


def explain(
    outcomes: Iterable[outcome_pb2.Outcome], dead_letters: Iterable[outcome_pb2.DeadLetter]
) -> tuple[Explanation, ...]:
    """Explains listed outcomes and dead letters, newest first; empty if there are none."""
    letters = {_run_of(letter.outcome): letter for letter in dead_letters}
    ended = {_run_of(letter.outcome): letter.outcome for letter in letters.values()}
    ended |= {_run_of(outcome): outcome for outcome in sorted(outcomes, key=lambda outcome: outcome.sequence)}
    seen: set[_Envelope] = set()
    explanations = []
    for run, outcome in sorted(ended.items(), key=lambda item: item[1].sequence, reverse=True):
        superseded = run.envelope in seen
        seen.add(run.envelope)
        explanations.append(_explanation(outcome, letters.get(run), superseded=superseded))
    return tuple(explanations)


def _run_of(outcome: outcome_pb2.Outcome) -> _Run:
    accepted = outcome.accept_time
    return _Run(_Envelope(outcome.connection, outcome.envelope_id, accepted.seconds, accepted.nanos), outcome.replay)


def _explanation(
    outcome: outcome_pb2.Outcome, letter: outcome_pb2.DeadLetter | None, *, superseded: bool
) -> Explanation:
    who = outcome.identity.customer_id or outcome.identity.email
    replay = f", replay {outcome.replay}" if outcome.replay else ""
    accepted, ended = _moment(outcome.accept_time), _moment(outcome.end_time)
    details = [_call(effect) for effect in outcome.effects]
    details += [f"changed: {finding.reason} {finding.field}: {finding.message}" for finding in outcome.adjustments]
    return Explanation(
        envelope_id=outcome.envelope_id,
        heading=f"{outcome.envelope_id}{replay} of {who} in {outcome.connection}: accepted {accepted}, ended {ended}",
        end=_end(outcome, superseded=superseded),
        details=tuple(details),
        remedy="" if superseded or letter is None else _remedy(outcome, letter),
    )


def _end(outcome: outcome_pb2.Outcome, *, superseded: bool) -> str:
    end = OUTCOME_SENTENCES.get(outcome.type, f"It ended as {outcome.type}, which is unknown to this version.")
    if outcome.reason == DAMAGED:
        end = "Its record on disk is corrupt and cannot be read: send it again."
    reason = f" ({outcome.reason})" if outcome.reason else ""
    return f"{end[:-1]}{reason}." + (" A later outcome supersedes this one." if superseded else "")


def _call(effect: outcome_pb2.Effect) -> str:
    what = "contact"
    if effect.kind == outcome_pb2.EFFECT_KIND_EVENT:
        what = f"event {effect.event_name!r} of {_moment(effect.event_time)}"
    known = effect.type in outcome_pb2.OutcomeType.values()
    end = outcome_pb2.OutcomeType.Name(effect.type) if known else str(effect.type)
    parts = [f"{what}: {end.removeprefix('OUTCOME_TYPE_').lower().replace('_', ' ')}"]
    parts += [effect.reason] if effect.reason else []
    parts += [f"status {effect.http_status}"] if effect.http_status else []
    parts += [f"{effect.attempts} calls" if effect.attempts > 1 else "1 call"] if effect.attempts else []
    parts += [f"request {effect.intercom_request_id}"] if effect.intercom_request_id else []
    return ", ".join(parts)


def _remedy(outcome: outcome_pb2.Outcome, letter: outcome_pb2.DeadLetter) -> str:
    refused = outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
    reasons = [outcome.reason, *(effect.reason for effect in outcome.effects if effect.type == refused)]
    known = next(filter(None, (remedy_of(Kind.DEAD_LETTER, reason) for reason in reasons)), "")
    return f"{known} It is kept as dead letter {letter.dead_letter_id}, with Intercom's answer.".strip()


def _moment(time: Timestamp) -> str:
    """Returns the time in RFC 3339, UTC, to the second."""
    return datetime.fromtimestamp(time.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
