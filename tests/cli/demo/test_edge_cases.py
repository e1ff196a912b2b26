"""Tests the edge cases of the demo."""

from ingest.decision import decided, stored
from intercomd_daemon.cli.demo import edge_cases, personas
from intercomd_daemon.cli.demo.builders import FinalState
from intercomd_daemon.ingest.decision import Disposition
from senders.client import NOON

NOW = NOON + 86_400
ADA = personas.persona(0)


def test_edge_cases_are_rejected_for_their_reason() -> None:
    for step in edge_cases.rejected(NOON):
        result = decided(step.envelope, NOW)
        assert (result.disposition, result.violations[0].reason) == (Disposition.REJECTED, step.reason)


def test_edge_cases_are_skipped_for_their_reason() -> None:
    for step in edge_cases.skipped(ADA, NOON):
        result = decided(step.envelope, NOW)
        assert (result.disposition, result.violations[0].reason) == (Disposition.SKIPPED, step.reason)


def test_edge_cases_are_adjusted_for_their_reason() -> None:
    reasons = set()
    for step in edge_cases.adjusted(ADA, NOON):
        result = decided(step.envelope, NOW)
        assert result.accepted is not None
        reasons |= {adjustment.reason for adjustment in result.adjustments}
        assert [event.name for event in result.accepted.events] == [event.name for event in step.events]
        assert stored(result) == step.stored
    assert reasons == {"EVENT_NAME_CHANGED", "VALUE_TRUNCATED", "ATTRIBUTE_DROPPED", "EVENT_SKIPPED"}


def test_edge_cases_expect_the_second_of_two_equal_events_a_second_later() -> None:
    first, second = (
        step for step in edge_cases.adjusted(ADA, NOON) if step.events and step.events[0].name == edge_cases.CLICKED
    )
    assert first.envelope.event_time == second.envelope.event_time
    assert second.events[0].created_at == first.events[0].created_at + 1


def test_edge_cases_refused_by_intercom_are_accepted_by_the_daemon() -> None:
    for step in edge_cases.refused_by_intercom(NOON):
        assert step.final_state is FinalState.DEAD_LETTER
        assert decided(step.envelope, NOW).disposition is Disposition.ACCEPTED
