"""How an envelope ends that an operator gives up, and how a lane reports that one may be."""

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.classification import Classification, Kind
from intercomd_daemon.deliver.intercom.messages import Response
from intercomd_daemon.deliver.lane.actions import AfterResponse, Send
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane, give_up
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.envelope import AcceptedEnvelope, Operation, Priority, TrackEvent, UpdateContact
from intercomd_daemon.outcome import EffectKind, OutcomeType, Progress
from intercomd_daemon.spool.rows import POSITION_BITS

NOW = 1_795_000_000.0
SETTINGS = ConnectionSettings(name="default")
DEAD, DELIVERED = OutcomeType.DEAD_LETTERED, OutcomeType.DELIVERED
PURCHASE = (UpdateContact({"plan": "gold"}), TrackEvent("Bought", 7, b""), TrackEvent("Seen", 8, b""))


def pending(*operations: Operation) -> PendingEnvelope:
    envelope = AcceptedEnvelope("e1", "u1", "", NOW - 5, operations, (), "", b"source")
    return PendingEnvelope(3 << POSITION_BITS | 42, Priority.NORMAL, envelope, Progress())


def test_given_up_envelope_is_a_dead_letter_whose_replay_does_the_rest() -> None:
    row = pending(*PURCHASE)
    row.end_operation(DELIVERED, "", 200, "r1")
    row.attempts = 3
    row.on_failure(500, "track event: HTTP_500")
    completion = give_up(row, SETTINGS, NOW)
    outcome = completion.outcome
    assert (outcome.type, outcome.reason, outcome.end_time) == (DEAD, "GIVEN_UP", NOW)
    assert [(each.type, each.reason, each.http_status, each.attempts) for each in outcome.effects] == [
        (DELIVERED, "", 200, 0),
        (DEAD, "GIVEN_UP", 500, 3),
        (DEAD, "GIVEN_UP", 500, 0),
    ]
    assert completion.dead_letter == msgspec.structs.replace(row.envelope, origin=42)


def test_given_up_envelope_keeps_earlier_refusals() -> None:
    row = pending(*PURCHASE)
    row.keep_response(b"no such attribute")
    row.end_operation(DEAD, "REQUEST_INVALID", 400, "r1")
    completion = give_up(row, SETTINGS, NOW)
    assert completion.outcome.reason == "GIVEN_UP"
    assert [each.reason for each in completion.outcome.effects] == ["REQUEST_INVALID", "GIVEN_UP", "GIVEN_UP"]
    assert completion.answer_body == "no such attribute"


def test_given_up_envelope_has_an_effect_even_without_work() -> None:
    (effect,) = give_up(pending(UpdateContact({})), SETTINGS, NOW).outcome.effects
    assert (effect.kind, effect.type, effect.reason) == (EffectKind.CONTACT, DEAD, "GIVEN_UP")


def test_given_up_envelope_has_no_effect_of_an_operation_without_work_beside_others() -> None:
    effects = give_up(pending(UpdateContact({}), TrackEvent("Seen", 8, b"")), SETTINGS, NOW).outcome.effects
    assert [(effect.kind, effect.operation) for effect in effects] == [(EffectKind.EVENT, 1)]


def lane_of_events(*names: str) -> Lane:
    """A lane with an event for each name, whose first call failed."""
    settings = ConnectionSettings(name="default")
    lane = Lane("c:u1", Contact("c1"), settings, AttributeCatalog(settings), UnavailableContacts())
    for key, name in enumerate(names, 1):
        envelope = AcceptedEnvelope(name, "u1", "", NOW, (TrackEvent(name, int(NOW), b""),), (), "", b"")
        lane.queue.add(PendingEnvelope(key, Priority.NORMAL, envelope, Progress()))
    assert isinstance(lane.next(NOW), Send)
    assert [lane.is_in_flight(key) for key in (1, 2)] == [True, False]
    after = lane.on_response(Classification(Kind.TRANSIENT, "HTTP_500"), Response(500), NOW)
    assert (after, lane.failures) == (AfterResponse(back_off=True), 1)
    assert not lane.is_in_flight(1)
    return lane


def test_lane_whose_head_is_given_up_starts_over_with_the_next_envelope() -> None:
    lane = lane_of_events("a", "b")
    completion = lane.give_up(1, NOW)
    assert completion is not None
    assert (completion.key, completion.outcome.envelope_id, completion.outcome.reason) == (1, "a", "GIVEN_UP")
    assert (lane.failures, lane.queue.head and lane.queue.head.key) == (0, 2)


def test_lane_keeps_its_failures_if_a_later_envelope_is_given_up() -> None:
    lane = lane_of_events("a", "b")
    assert lane.give_up(2, NOW) is not None
    assert (lane.failures, lane.queue.head and lane.queue.head.key) == (1, 1)


def test_envelope_that_is_not_in_memory_is_not_given_up_by_its_lane() -> None:
    assert lane_of_events("a").give_up(9, NOW) is None


def test_failures_are_reported_after_each_fifth_in_a_row() -> None:
    """For an operator, who may give up the envelope."""
    lane = lane_of_events("a", "b")
    reported = []
    for failures in range(1, 12):
        assert lane.failures == failures
        reported.append(lane.failures_to_report())
        assert isinstance(lane.next(NOW), Send)
        lane.on_response(Classification(Kind.TRANSIENT, "HTTP_500"), Response(500), NOW)
    details = [{"lane": "c:u1", "envelope_id": "a", "failures": failures, "status": 500} for failures in (5, 10)]
    assert [each for each in reported if each] == details
    assert reported[4] == details[0]


def test_lane_without_failures_or_envelopes_has_none_to_report() -> None:
    lane = lane_of_events("a", "b")
    assert lane.give_up(1, NOW) is not None
    assert (lane.failures, lane.failures_to_report()) == (0, {})
    assert lane.give_up(2, NOW) is not None
    assert lane.failures_to_report() == {}
