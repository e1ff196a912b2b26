"""What goes not to Intercom, or not as it came."""

from examining import examined, stored
from sending import NOON

from intercomd_daemon.cli.demo import oddities, people
from intercomd_daemon.cli.demo.step import Fate
from intercomd_daemon.ingest.examined import Disposition

NOW = NOON + 86_400
ADA = people.person(0)


def test_what_is_rejected_is_rejected_for_its_reason() -> None:
    for step in oddities.rejected(NOON):
        result = examined(step.envelope, NOW)
        assert (result.disposition, result.violations[0].reason) == (Disposition.REJECTED, step.reason)


def test_what_is_skipped_is_skipped_for_its_reason() -> None:
    for step in oddities.skipped(ADA, NOON):
        result = examined(step.envelope, NOW)
        assert (result.disposition, result.violations[0].reason) == (Disposition.SKIPPED, step.reason)


def test_what_is_changed_is_said() -> None:
    reasons = set()
    for step in oddities.adjusted(ADA, NOON):
        result = examined(step.envelope, NOW)
        assert result.accepted is not None
        reasons |= {adjustment.reason for adjustment in result.adjustments}
        assert [event.name for event in result.accepted.events] == [event.name for event in step.events]
        assert stored(result) == step.stored
    assert reasons == {"EVENT_NAME_CHANGED", "VALUE_TRUNCATED", "ATTRIBUTE_DROPPED", "EVENT_SKIPPED"}


def test_of_two_equal_events_of_one_second_the_second_is_expected_a_second_later() -> None:
    first, second = (
        step for step in oddities.adjusted(ADA, NOON) if step.events and step.events[0].name == oddities.CLICKED
    )
    assert first.envelope.event_time == second.envelope.event_time
    assert second.events[0].created_at == first.events[0].created_at + 1


def test_what_intercom_refuses_is_accepted_before() -> None:
    for step in oddities.refused_by_intercom(NOON):
        assert step.fate is Fate.DEAD_LETTER
        assert examined(step.envelope, NOW).disposition is Disposition.ACCEPTED
