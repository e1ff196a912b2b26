"""Envelopes of a lane in memory are given up."""

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.classification import Classification, Kind
from intercomd_daemon.deliver.intercom.messages import Response
from intercomd_daemon.deliver.lane.actions import AfterResponse, Send
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent
from intercomd_daemon.outcome import Progress

NOW = 1_795_000_000.0


def lane_of_events(*names: str) -> Lane:
    """A lane with an event for each name, whose first call failed."""
    settings = ConnectionSettings(name="default")
    lane = Lane("c:u1", Contact("c1"), settings, AttributeCatalog(settings), UnavailableContacts())
    for key, name in enumerate(names, 1):
        envelope = AcceptedEnvelope(name, "u1", "", NOW, (TrackEvent(name, int(NOW), b""),), (), "", b"")
        lane.queue.add(PendingEnvelope(key, Priority.NORMAL, envelope, Progress()))
    assert isinstance(lane.next(NOW), Send)
    assert [lane.calls_for(key) for key in (1, 2)] == [True, False]
    after = lane.answered(Classification(Kind.TRANSIENT, "HTTP_500"), Response(500), NOW)
    assert (after, lane.failures) == (AfterResponse(back_off=True), 1)
    assert not lane.calls_for(1)
    return lane


def test_lane_whose_head_is_given_up_starts_over_with_the_next_envelope() -> None:
    lane = lane_of_events("a", "b")
    completion = lane.give_up(1, NOW)
    assert completion is not None
    assert (completion.key, completion.outcome.envelope_id, completion.outcome.reason) == (1, "a", "GIVEN_UP")
    assert (lane.failures, lane.head and lane.head.key) == (0, 2)


def test_lane_keeps_its_failures_if_a_later_envelope_is_given_up() -> None:
    lane = lane_of_events("a", "b")
    assert lane.give_up(2, NOW) is not None
    assert (lane.failures, lane.head and lane.head.key) == (1, 1)


def test_envelope_that_is_not_in_memory_is_not_given_up_by_its_lane() -> None:
    assert lane_of_events("a").give_up(9, NOW) is None
