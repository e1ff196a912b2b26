"""An outcome in one line."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import outcome_pb2
from intercomd.v1.identity_pb2 import Identity
from intercomd_daemon.cli.outcome_text import NAMES, line_of, name_of, what, who, why

CONTACT = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_CONTACT, type=outcome_pb2.OUTCOME_TYPE_DELIVERED)
REFUSED = outcome_pb2.Effect(
    kind=outcome_pb2.EFFECT_KIND_EVENT,
    event_name="paid",
    type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED,
    reason="REQUEST_INVALID",
    http_status=422,
)


def outcome(*effects: outcome_pb2.Effect, **fields: object) -> outcome_pb2.Outcome:
    return outcome_pb2.Outcome(effects=effects, **fields)


def test_every_type_has_a_name() -> None:
    known = set(outcome_pb2.OutcomeType.values()) - {outcome_pb2.OUTCOME_TYPE_UNSPECIFIED}
    assert set(NAMES) == known


def test_a_type_of_a_later_version_is_shown_by_its_number() -> None:
    assert name_of(outcome_pb2.OutcomeType.ValueType(99)) == "type-99"


@pytest.mark.parametrize(
    ("effects", "words"),
    [
        ((), "nothing to call"),
        ((CONTACT,), "contact"),
        ((REFUSED,), "event paid"),
        ((CONTACT, REFUSED, REFUSED, REFUSED), "contact, event paid and 2 more"),
    ],
)
def test_it_says_what_the_calls_were_to_do(effects: tuple[outcome_pb2.Effect, ...], words: str) -> None:
    assert what(outcome(*effects)) == words


def test_it_says_why_and_each_reason_once() -> None:
    assert why(outcome(CONTACT, REFUSED, REFUSED, reason="REQUEST_INVALID")) == "REQUEST_INVALID status 422"
    assert why(outcome(CONTACT)) == ""


def test_it_says_whom_it_is_about_and_nothing_that_steers_a_terminal() -> None:
    assert who(outcome(identity=Identity(customer_id="42", email="a@b.c"))) == "42"
    assert who(outcome(identity=Identity(email="a@b\x1b.c"))) == "a@b\\x1b.c"


def test_the_line_has_when_where_how_whom_what_why_and_the_id() -> None:
    ended = outcome(
        REFUSED,
        connection="default",
        end_time=Timestamp(seconds=0),
        type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED,
        identity=Identity(customer_id="42"),
        envelope_id="e-1",
        replay=2,
    )
    assert "".join(line_of(ended)) == (
        "1970-01-01T00:00:00Z  default  dead-lettered  42  event paid  REQUEST_INVALID status 422  e-1 replay 2"
    )
