"""What is kept of a rejected or skipped envelope."""

import pytest

from ingest.acceptance import sent
from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX, Finding, Refusal
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decoded import CustomEvent, OtherEvent
from intercomd_daemon.ingest.refusal import (
    MESSAGE_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    VIOLATIONS_MAX,
    refusal_of,
)

WRONG = (Finding("INVALID_EMAIL", "identity.email", "invalid email"),)


def test_refusal_has_the_user_the_event_and_the_violations() -> None:
    envelope = sent(envelope_id="a", customer_id=" ann ", email="Ann@Example.com ", event=CustomEvent("order", []))
    refusal = refusal_of(envelope, Decision("a", "eu", Disposition.REJECTED, WRONG), 5.5)
    assert refusal == Refusal(5.5, "a", "eu", "ann", "ann@example.com", 4, WRONG, "order")


def test_refusal_of_another_event_has_no_event_name() -> None:
    decision = Decision("a", "eu", Disposition.SKIPPED, WRONG)
    refusal = refusal_of(sent(envelope_id="a", event=OtherEvent("x")), decision, 5.5)
    assert (refusal.event_name, refusal.disposition) == ("", 3)


@pytest.mark.fills("ingest.refusal.VIOLATIONS_MAX")
@pytest.mark.fills("ingest.refusal.TEXT_CHARACTERS_MAX")
@pytest.mark.fills("ingest.refusal.MESSAGE_CHARACTERS_MAX")
def test_refusal_is_cut() -> None:
    long = "x" * 1_000
    envelope = sent(envelope_id=long, customer_id=long, email=long, event=CustomEvent(long, []))
    violations = (Finding("A", long, long), Finding("B", "field", "message")) * 20
    refusal = refusal_of(envelope, Decision(long, long, Disposition.REJECTED, violations), 5.5)
    assert len(refusal.envelope_id) == GIVEN_ID_BYTES_MAX
    assert {len(refusal.connection), len(refusal.customer_id), len(refusal.email), len(refusal.event_name)} == {
        TEXT_CHARACTERS_MAX
    }
    assert len(refusal.violations) == VIOLATIONS_MAX
    assert {(len(each.field), len(each.message)) for each in refusal.violations} == {
        (TEXT_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX),
        (len("field"), len("message")),
    }
