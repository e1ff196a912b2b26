"""How an event names its contact and ends, beside the dialogues."""

import pytest

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.actions import LaneContext, NoCall
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.contact_writer import ContactWriter
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.deliver.lane.track_event import EventCall, TrackEventKind
from intercomd_daemon.envelope import AcceptedEnvelope, Operation, Priority, TrackEvent, UpdateContact, lane_of
from intercomd_daemon.outcome import OutcomeType, Progress

NOW = 1_795_000_000.0
EVENT = TrackEvent("Bought", 1_794_999_000, b"")


def pending(customer_id: str, email: str, *operations: Operation) -> PendingEnvelope:
    envelope = AcceptedEnvelope("e1", customer_id, email, NOW, operations, (), "", b"")
    return PendingEnvelope(1, Priority.NORMAL, envelope, Progress())


def tracking(contact_id: str = "", **settings: float) -> TrackEventKind:
    connection = ConnectionSettings(name="main", **settings)
    key, catalog = lane_of("u1", ""), AttributeCatalog(connection)
    context = LaneContext(key, Contact(contact_id), connection, catalog, UnavailableContacts())
    return TrackEventKind(context, ContactWriter(context))


@pytest.mark.parametrize(
    ("customer_id", "email", "contact_id", "identity"),
    [
        ("u1", "", "", b'"user_id":"u1"'),
        ("u1", "ada@x.io", "c1", b'"user_id":"u1"'),
        ("", "ada@x.io", "", b'"email":"ada@x.io"'),
        ("", "ada@x.io", "c1", b'"id":"c1"'),
    ],
)
def test_event_names_the_contact_by_customer_id_then_id_then_email(
    customer_id: str, email: str, contact_id: str, identity: bytes
) -> None:
    call = tracking(contact_id).plan([pending(customer_id, email, EVENT)], NOW)
    assert isinstance(call, EventCall)
    assert identity in call.request.body


def test_event_older_than_the_limit_expires_without_a_call() -> None:
    head = pending("u1", "", EVENT)
    assert tracking(event_age_max_seconds=999.0).plan([head], NOW) == NoCall(
        [head], OutcomeType.DEAD_LETTERED, "EXPIRED"
    )
    assert isinstance(tracking(event_age_max_seconds=1000.0).plan([head], NOW), EventCall)


def test_plan_of_another_operation_is_an_error() -> None:
    with pytest.raises(TypeError, match="UpdateContact"):
        tracking().plan([pending("u1", "", UpdateContact({"plan": "gold"}))], NOW)
