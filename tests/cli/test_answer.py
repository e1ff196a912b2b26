"""Tests the sentence that answers why an event did or did not arrive."""

import pytest

from intercomd.v1 import outcome_pb2
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import DISPOSITION_SKIPPED, Violation
from intercomd.v1.operations_pb2 import TrailEntry
from intercomd_daemon.cli.answer import answer, answer_for_both, not_found
from operators.entries import CONTACT, EVENT, REFUSED, REJECTION, at, ended, refused, waiting

DELIVERED = outcome_pb2.OUTCOME_TYPE_DELIVERED
UNCHANGED = outcome_pb2.OUTCOME_TYPE_UNCHANGED
DEAD = outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
FORWARDED = outcome_pb2.OUTCOME_TYPE_FORWARDED
INACTIVE = Violation(reason="INACTIVE", message="switched off")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            ended("e-1", 0, DELIVERED, CONTACT, EVENT),
            "Envelope e-1 of ann (contact, event paid) reached Intercom at 2023-11-14T22:14:20Z.",
        ),
        (
            ended("e-1", 0, UNCHANGED),
            "Envelope e-1 of ann needed no call, because Intercom had its values already, at 2023-11-14T22:14:20Z.",
        ),
        (
            ended("e-1", 0, DEAD, CONTACT, REFUSED),
            (
                "Envelope e-1 of ann (contact, event paid) was refused by Intercom at 2023-11-14T22:14:20Z: event paid,"
                " TOO_LARGE status 413."
            ),
        ),
        (
            ended("e-1", 0, DEAD, reason="EXPIRED"),
            (
                "Envelope e-1 of ann was not sent, because its events were older than event_age_max, at"
                " 2023-11-14T22:14:20Z (EXPIRED)."
            ),
        ),
        (
            ended("e-1", 0, DEAD, EVENT, reason="GIVEN_UP"),
            "Envelope e-1 of ann (event paid) was given up by an operator at 2023-11-14T22:14:20Z (GIVEN_UP).",
        ),
        (
            ended("e-1", 0, outcome_pb2.OUTCOME_TYPE_DISCARDED, REFUSED),
            (
                "Envelope e-1 of ann (event paid) was refused by Intercom, and discarded by an operator at"
                " 2023-11-14T22:14:20Z (TOO_LARGE status 413)."
            ),
        ),
        (
            ended("e-1", 0, outcome_pb2.OUTCOME_TYPE_SKIPPED, reason="DRY_RUN"),
            "Envelope e-1 of ann was left out on purpose at 2023-11-14T22:14:20Z (DRY_RUN).",
        ),
        (
            ended("e-1", 0, outcome_pb2.OUTCOME_TYPE_FORWARDED, forwarded_to="gateway:50051"),
            "Envelope e-1 of ann was accepted by the gateway with the spool gateway:50051 at 2023-11-14T22:14:20Z.",
        ),
        (
            ended("e-1", 0, DEAD, reason="PLACEHOLDER_ID", violations=[REJECTION]),
            (
                "Envelope e-1 of ann was rejected by the gateway at 2023-11-14T22:14:20Z (PLACEHOLDER_ID): 'null' is a"
                " placeholder: set the user's id."
            ),
        ),
        (
            ended("e-1", 0, outcome_pb2.OUTCOME_TYPE_SKIPPED, reason="INACTIVE", violations=[INACTIVE]),
            "Envelope e-1 of ann was skipped by the gateway at 2023-11-14T22:14:20Z (INACTIVE): switched off.",
        ),
        (
            ended("e-1", 0, outcome_pb2.OUTCOME_TYPE_DISCARDED, violations=[INACTIVE]),
            (
                "Envelope e-1 of ann was rejected by the gateway, and discarded by an operator at 2023-11-14T22:14:20Z"
                " (INACTIVE): switched off."
            ),
        ),
        (
            ended("e-1", 0, outcome_pb2.OutcomeType.ValueType(99)),
            "Envelope e-1 of ann ended in a way unknown to this version at 2023-11-14T22:14:20Z.",
        ),
        (
            waiting("e-1", 0),
            (
                "Envelope e-1 of ann (event later) has waited since 2023-11-14T22:13:20Z: an operator has paused"
                " connection default."
            ),
        ),
        (
            waiting("e-1", 0, "RETRYING", http_status=503, next_attempt_time=at(9), ahead=1),
            (
                "Envelope e-1 of ann (event later) has waited since 2023-11-14T22:13:20Z: the last call for an earlier"
                " envelope of this user failed with status 503; next attempt at 2023-11-14T22:13:29Z."
            ),
        ),
        (
            waiting("e-1", 0, "RETRYING", http_status=503, next_attempt_time=at(9), attempts=1),
            (
                "Envelope e-1 of ann (event later) has waited since 2023-11-14T22:13:20Z: the last call for this user"
                " failed with status 503; next attempt at 2023-11-14T22:13:29Z."
            ),
        ),
        (
            waiting("e-1", 0, "SUSPENDED", next_attempt_time=at(9)),
            (
                "Envelope e-1 of ann (event later) has waited since 2023-11-14T22:13:20Z: the access of connection"
                " default to Intercom is wrong (UNAUTHORIZED); next attempt at 2023-11-14T22:13:29Z."
            ),
        ),
        (
            waiting("e-1", 0, "WAITING_TURN", ahead=1_200),
            (
                "Envelope e-1 of ann (event later) has waited since 2023-11-14T22:13:20Z: earlier envelopes go first,"
                " at most 1,200."
            ),
        ),
        (
            waiting("e-1", 0, "ODD{0}\x1b"),
            "Envelope e-1 of ann (event later) has waited since 2023-11-14T22:13:20Z: ODD{0}\\x1b.",
        ),
        (
            refused("e-1", 0, event_name="seen"),
            (
                "Envelope e-1 of ann (event seen) was rejected at 2023-11-14T22:13:20Z (PLACEHOLDER_ID): 'null' is a"
                " placeholder: set the user's id."
            ),
        ),
        (
            refused("", 0, REJECTION, REJECTION, identity=Identity()),
            (
                "Envelope without an id was rejected at 2023-11-14T22:13:20Z (PLACEHOLDER_ID): 'null' is a placeholder:"
                " set the user's id, and 1 more violation."
            ),
        ),
        (refused("e-1", 0, violations=[]), "Envelope e-1 of ann was rejected at 2023-11-14T22:13:20Z."),
        (
            refused("e-1", 0, Violation(reason="EVENT_TYPE_OFF", message="off"), disposition=DISPOSITION_SKIPPED),
            "Envelope e-1 of ann was skipped at 2023-11-14T22:13:20Z (EVENT_TYPE_OFF): off.",
        ),
    ],
)
def test_answer_about_one_envelope_is_a_sentence(entry: TrailEntry, text: str) -> None:
    assert answer("e-1", [entry], suspensions={"default": "UNAUTHORIZED"}) == text


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([ended("b", 9, DELIVERED), ended("a", 0, UNCHANGED)], "Intercom has all 2 envelopes of ann."),
        (
            [waiting("b", 99, "PAUSED"), ended("a", 0, DELIVERED)],
            (
                "Intercom has 1 of 2 envelopes of ann; envelope b of ann (event later) has waited since"
                " 2023-11-14T22:14:59Z: an operator has paused connection default."
            ),
        ),
        (
            [ended("b", 0, DELIVERED), refused("a", 9)],
            (
                "Intercom has 1 of 2 envelopes of ann; envelope a of ann was rejected at 2023-11-14T22:13:29Z"
                " (PLACEHOLDER_ID): 'null' is a placeholder: set the user's id."
            ),
        ),
        (
            [waiting("d", 99), waiting("c", 98), ended("b", 0, DEAD, REFUSED), ended("a", 0, DELIVERED)],
            "Intercom has 1 of 4 envelopes of ann: 2 wait (PAUSED), 1 became a dead letter (TOO_LARGE status 413).",
        ),
        (
            [refused("b", 2), refused("a", 1, Violation(reason="INVALID_EMAIL"))],
            "Intercom has none of 2 envelopes of ann: 2 were rejected (PLACEHOLDER_ID, INVALID_EMAIL).",
        ),
    ],
)
def test_answer_about_several_envelopes_counts_them(entries: list[TrailEntry], text: str) -> None:
    assert answer("ann", entries) == text


def test_answer_counts_an_envelope_once_by_its_last_entry() -> None:
    """A replayed dead letter, and a rejected envelope that was corrected and sent again."""
    entries = [
        ended("a", 0, DELIVERED, replay=1, sequence=2),
        ended("a", 0, DEAD, REFUSED, sequence=1),
        ended("b", 5, DELIVERED),
        refused("b", 1),
    ]
    assert answer("ann", entries) == "Intercom has all 2 envelopes of ann."


def test_answer_about_a_part_says_so() -> None:
    entries = [ended("b", 9, DELIVERED), ended("a", 0, DELIVERED)]
    assert answer("ann", entries, more=True) == "Intercom has the newest 2 envelopes of ann."


def test_answer_for_both_names_envelope_and_user() -> None:
    text = answer_for_both("7", answer("7", [ended("7", 0, DELIVERED)]), "Intercom has all 2 envelopes of 7.")
    assert text == (
        "7 is the id of an envelope and of a user: envelope 7 of ann reached Intercom at 2023-11-14T22:14:20Z;"
        " Intercom has all 2 envelopes of 7."
    )


def test_answers_are_one_line_without_control_characters() -> None:
    hostile = ended("a\n\u202eb", 0, DELIVERED, identity=Identity(customer_id="\x1b[2J"))
    for text in (answer("x\ny", [hostile]), not_found("x\ny"), answer("x\ny", [hostile] * 2)):
        assert text.isprintable()


@pytest.mark.parametrize(
    ("reason", "suspension", "clause"),
    [
        ("DOWN", "", "the gateway does not take envelopes of connection default"),
        ("RETRYING", "", "the last call to the gateway failed"),
        ("SUSPENDED", "UPSTREAM_CHANGED", "connection default is suspended (UPSTREAM_CHANGED)"),
        ("VERIFYING", "", "the gateway of connection default has not answered yet"),
        ("PAUSED", "", "an operator has paused connection default"),
    ],
)
def test_envelope_that_waits_at_an_agent_waits_for_the_gateway(reason: str, suspension: str, clause: str) -> None:
    text = answer("e-1", [waiting("e-1", 0, reason, ahead=2)], suspensions={"default": suspension}, agents={"default"})
    assert text == f"Envelope e-1 of ann (event later) has waited since 2023-11-14T22:13:20Z: {clause}."


def test_forwarded_envelopes_are_at_the_gateway() -> None:
    forwarded = [ended(f"e-{number}", number, FORWARDED, forwarded_to="s-1") for number in range(2)]
    rejected = ended("e-3", 3, DEAD, reason="PLACEHOLDER_ID", violations=[REJECTION])
    held = waiting("e-4", 4, "DOWN")
    assert answer("ann", forwarded) == "The gateway has all 2 envelopes of ann."
    assert answer("ann", [*forwarded, rejected]).startswith(
        "The gateway has 2 of 3 envelopes of ann; envelope e-3 of ann was rejected by the gateway"
    )
    assert answer("ann", [*forwarded, rejected, held]) == (
        "The gateway has 2 of 4 envelopes of ann: 1 waits (DOWN), 1 became a dead letter (PLACEHOLDER_ID)."
    )
