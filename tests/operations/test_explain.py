"""What an operator is told about a user or an envelope."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import identity_pb2, operations_pb2, outcome_pb2
from intercomd_daemon.operations.explain import explain, filters_for

AT = Timestamp(seconds=1_700_000_000)
LATER = Timestamp(seconds=1_700_000_060)


def _outcome(sequence: int, end: outcome_pb2.OutcomeType.ValueType, **fields: object) -> outcome_pb2.Outcome:
    ended = outcome_pb2.Outcome(
        sequence=sequence,
        envelope_id="order-1",
        connection="default",
        identity=identity_pb2.Identity(customer_id="c-1"),
        type=end,
        accept_time=AT,
        end_time=LATER,
    )
    ended.MergeFrom(outcome_pb2.Outcome(**fields))
    return ended


REFUSED_EVENT = outcome_pb2.Effect(
    kind=outcome_pb2.EFFECT_KIND_EVENT,
    event_name="Signed up",
    event_time=AT,
    type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED,
    reason="TOO_LARGE",
    http_status=422,
    intercom_request_id="req-9",
    attempts=1,
)
DELIVERED_CONTACT = outcome_pb2.Effect(
    kind=outcome_pb2.EFFECT_KIND_CONTACT,
    type=outcome_pb2.OUTCOME_TYPE_DELIVERED,
    http_status=200,
    attempts=2,
)
REFUSED = _outcome(5, outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, effects=[DELIVERED_CONTACT, REFUSED_EVENT])
LETTER = outcome_pb2.DeadLetter(dead_letter_id="42", outcome=REFUSED)


def test_identifier_is_looked_up_as_envelope_and_as_customer() -> None:
    asked = filters_for("c-1")
    assert asked.outcomes == (
        operations_pb2.OutcomeFilter(envelope_id="c-1"),
        operations_pb2.OutcomeFilter(customer_id="c-1"),
    )
    assert asked.dead_letters == (
        operations_pb2.DeadLetterFilter(envelope_ids=["c-1"]),
        operations_pb2.DeadLetterFilter(customer_id="c-1"),
    )


def test_identifier_with_an_at_sign_is_looked_up_as_an_email_too() -> None:
    asked = filters_for("ann@example.com")
    assert asked.outcomes[-1] == operations_pb2.OutcomeFilter(email="ann@example.com")
    assert asked.dead_letters[-1] == operations_pb2.DeadLetterFilter(email="ann@example.com")


def test_unknown_identifier_has_no_explanation() -> None:
    assert explain([], []) == ()


@pytest.mark.parametrize("end", [end for end in outcome_pb2.OutcomeType.values() if end])
def test_every_outcome_type_has_a_sentence(end: outcome_pb2.OutcomeType.ValueType) -> None:
    (story,) = explain([_outcome(1, end, reason="WHY")], [])
    assert story.end.endswith("(WHY).")
    assert "does not know" not in story.end


def test_outcome_type_of_a_newer_daemon_is_shown_by_number() -> None:
    strange = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_CONTACT)
    strange.type = 99  # a number of tomorrow's contract
    (story,) = explain([_outcome(1, 99, effects=[strange])], [])
    assert story.end == "It ended as 99, which is unknown to this version."
    assert story.details == ("contact: 99",)


def test_refused_envelope_is_explained_call_by_call_with_the_remedy() -> None:
    (story,) = explain([REFUSED], [LETTER])
    assert story.heading == ("order-1 of c-1 in default: accepted 2023-11-14T22:13:20Z, ended 2023-11-14T22:14:20Z")
    assert story.end == "Intercom refused it permanently."
    assert story.details == (
        "contact: delivered, status 200, 2 calls",
        "event 'Signed up' of 2023-11-14T22:13:20Z: dead lettered, TOO_LARGE, status 422, 1 call, request req-9",
    )
    assert story.remedy == ("Send less in one envelope. It is kept as dead letter 42, with Intercom's answer.")


def test_reason_without_a_known_remedy_still_leads_to_the_dead_letter() -> None:
    letter = outcome_pb2.DeadLetter(
        dead_letter_id="7", outcome=_outcome(5, outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, reason="STRANGE")
    )
    (story,) = explain([], [letter])
    assert story.remedy == "It is kept as dead letter 7, with Intercom's answer."


def test_dead_letter_missing_in_the_journal_is_explained() -> None:
    assert explain([], [LETTER]) == explain([REFUSED], [LETTER])


def test_outcome_found_by_two_queries_is_shown_once() -> None:
    assert len(explain([REFUSED, REFUSED], [LETTER, LETTER])) == 1


def test_outcome_of_a_replay_is_first_and_supersedes_the_earlier_one() -> None:
    newer, older = explain([REFUSED, _outcome(9, outcome_pb2.OUTCOME_TYPE_DELIVERED, replay=1)], [])
    assert newer.heading.startswith("order-1, replay 1 of c-1")
    assert newer.end == "Intercom accepted it."
    assert older.end == "Intercom refused it permanently. A later outcome supersedes this one."
    assert older.remedy == ""


def test_discarded_dead_letter_ends_as_discarded_alone() -> None:
    (story,) = explain([_outcome(8, outcome_pb2.OUTCOME_TYPE_DISCARDED), REFUSED], [])
    assert "an operator discarded it" in story.end


def test_another_envelope_that_took_the_same_id_later_supersedes_nothing() -> None:
    other = _outcome(9, outcome_pb2.OUTCOME_TYPE_DELIVERED)
    other.accept_time.seconds += 100_000
    assert [story.end for story in explain([REFUSED, other], [])] == [
        "Intercom accepted it.",
        "Intercom refused it permanently.",
    ]


def test_adjustments_are_shown_after_the_calls() -> None:
    finding = {"reason": "VALUE_TRUNCATED", "field": "user_attributes[0].value", "message": "cut at 255 characters"}
    (story,) = explain([_outcome(1, outcome_pb2.OUTCOME_TYPE_DELIVERED, adjustments=[finding])], [])
    assert story.details == ("changed: VALUE_TRUNCATED user_attributes[0].value: cut at 255 characters",)


def test_corrupt_envelope_is_not_called_refused() -> None:
    (story,) = explain([_outcome(1, outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, reason="DAMAGED")], [])
    assert story.end.startswith("Its record on disk is corrupt")
    assert story.end.endswith("(DAMAGED).")
