"""Tests reading entries of the trail."""

import pytest

from intercomd.v1 import envelope_pb2, event_pb2, outcome_pb2
from intercomd.v1.attribute_pb2 import Attribute
from intercomd.v1.ingest_pb2 import DISPOSITION_SKIPPED
from intercomd.v1.operations_pb2 import TrailEntry
from intercomd_daemon.cli.trail import (
    OUTCOME_STATES,
    EnvelopeState,
    connection_of,
    content_of,
    content_of_envelope,
    envelope_id_of,
    identity_of,
    merge,
    reasons_of_entry,
    state_of,
    superseded,
)
from operators.entries import ANN, CONTACT, REFUSED, REJECTION, ended, refused, waiting

DELIVERED = outcome_pb2.OUTCOME_TYPE_DELIVERED
DEAD = outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
DISCARDED = outcome_pb2.OUTCOME_TYPE_DISCARDED
EACH = [waiting("w", 1), ended("o", 1, DEAD, CONTACT, REFUSED), refused("r", 1, event_name="seen")]


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (waiting("w", 1), EnvelopeState.WAITING),
        (ended("o", 1, DELIVERED), EnvelopeState.DELIVERED),
        (ended("o", 1, outcome_pb2.OUTCOME_TYPE_SKIPPED), EnvelopeState.LEFT_OUT),
        (ended("o", 1, outcome_pb2.OutcomeType.ValueType(99)), EnvelopeState.UNKNOWN),
        (refused("r", 1), EnvelopeState.REJECTED),
        (refused("r", 1, disposition=DISPOSITION_SKIPPED), EnvelopeState.SKIPPED),
    ],
)
def test_state_of_every_kind_of_entry(entry: TrailEntry, state: EnvelopeState) -> None:
    assert state_of(entry) is state


def test_outcome_states_cover_every_type() -> None:
    assert set(OUTCOME_STATES) == set(outcome_pb2.OutcomeType.values()) - {outcome_pb2.OUTCOME_TYPE_UNSPECIFIED}


def test_every_kind_of_entry_names_envelope_connection_and_user() -> None:
    assert [envelope_id_of(entry) for entry in EACH] == ["w", "o", "r"]
    assert [connection_of(entry) for entry in EACH] == ["default"] * 3
    assert [identity_of(entry) for entry in EACH] == [ANN] * 3


def test_content_and_reasons_of_every_kind_of_entry() -> None:
    assert [content_of(entry) for entry in EACH] == ["event later", "contact, event paid", "event seen"]
    assert [reasons_of_entry(entry) for entry in EACH] == ["PAUSED", "TOO_LARGE status 413", "PLACEHOLDER_ID"]
    assert [content_of(entry) for entry in (ended("o", 1, DELIVERED), refused("r", 1))] == ["", ""]


def test_reasons_name_each_violation_once_without_control_characters() -> None:
    twice = refused("r", 1, REJECTION, REJECTION, type(REJECTION)(reason="ODD\x1b"))
    assert reasons_of_entry(twice) == "PLACEHOLDER_ID ODD\\x1b"


@pytest.mark.parametrize(
    ("envelope", "text"),
    [
        (envelope_pb2.Envelope(), ""),
        (envelope_pb2.Envelope(removed_user_attributes=["plan"]), "contact"),
        (envelope_pb2.Envelope(other_event=event_pb2.OtherEvent(type="crash\u202e")), "event crash\\u202e"),
        (envelope_pb2.Envelope(commerce_event=event_pb2.CommerceEvent()), "commerce event"),
        (
            envelope_pb2.Envelope(
                user_attributes=[Attribute(name="plan")], session_end_event=event_pb2.SessionEndEvent()
            ),
            "contact, session end event",
        ),
    ],
)
def test_content_of_an_envelope_is_described(envelope: envelope_pb2.Envelope, text: str) -> None:
    assert content_of_envelope(envelope) == text


def test_merge_sorts_newest_first_and_shows_each_entry_once() -> None:
    old, new = ended("o", 1, DELIVERED, sequence=1), waiting("w", 300)
    same_second = ended("p", 1, DELIVERED, sequence=2)
    assert merge([[old, new], [same_second, old]]) == [new, same_second, old]
    assert merge([[], []]) == []


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([ended("a", 1, DELIVERED), ended("b", 1, DEAD)], [False, False]),
        # A replay that waits has the acceptance time of the envelope, and so is listed after the outcome.
        ([ended("a", 1, DEAD, sequence=5), waiting("a", 1, replay=1)], [True, False]),
        ([ended("a", 1, DELIVERED, replay=1, sequence=9), ended("a", 1, DEAD, sequence=5)], [False, True]),
        ([ended("a", 1, DISCARDED, sequence=9), ended("a", 1, DEAD, sequence=5)], [False, True]),
        # The id was used again after the duplicate window.
        ([ended("a", 90_000, DELIVERED, sequence=9), ended("a", 1, DEAD, sequence=5)], [False, False]),
        # Corrected and sent again; rejected again.
        ([ended("a", 9, DELIVERED), refused("a", 1)], [False, True]),
        ([waiting("a", 9), refused("a", 1)], [False, True]),
        ([refused("a", 9), refused("a", 1)], [False, True]),
        ([refused("a", 90_000), ended("a", 1, DELIVERED)], [False, False]),
        # The same id in another connection is another envelope.
        ([ended("a", 9, DELIVERED, connection="eu"), refused("a", 1)], [False, False]),
    ],
)
def test_superseded_entries_have_a_later_one_of_the_same_envelope(
    entries: list[TrailEntry], expected: list[bool]
) -> None:
    assert superseded(entries) == expected
