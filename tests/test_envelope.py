"""The nouns of the way in keep their shape on disk and on the wire."""

import msgspec
import pytest

from intercomd.v1 import envelope_pb2
from intercomd_daemon.envelope import (
    CONTACT_FIELDS,
    FIRST_NAME,
    LAST_NAME,
    AcceptedEnvelope,
    Environment,
    Operation,
    Priority,
    Scalar,
    Source,
    TrackEvent,
    UpdateContact,
    lane_of,
    operations_of,
    replace_events,
    user_of,
)


def test_numbers_are_the_contract_s() -> None:
    for ours, theirs in (
        (Source, envelope_pb2.Source),
        (Environment, envelope_pb2.Environment),
        (Priority, envelope_pb2.Priority),
    ):
        named = {name.removeprefix(f"{ours.__name__.upper()}_"): number for name, number in theirs.items() if number}
        assert {member.name: member.value for member in ours} == named


@pytest.mark.parametrize(
    ("customer_id", "email", "lane"),
    [("u1", "a@x.org", "c:u1"), ("u1", "", "c:u1"), ("", "a@x.org", "e:a@x.org"), ("e:a@x.org", "", "c:e:a@x.org")],
)
def test_lane_is_the_customer_id_else_the_email(customer_id: str, email: str, lane: str) -> None:
    assert lane_of(customer_id, email) == lane


def test_no_attribute_can_be_named_like_a_part_of_the_name() -> None:
    """A leading `$` goes from every name of a sender's."""
    assert all(part.startswith("$") and part not in CONTACT_FIELDS for part in (FIRST_NAME, LAST_NAME))


def test_release_reads_records_of_neighbouring_releases() -> None:
    """Fields that are missing at the end have their defaults, and fields behind the known ones are passed over."""
    operations = [[1, {"plan": "pro"}], [2, "came", 7, b"{}"]]
    written = ["id", "u", "", 1.5, operations, [["R", "f", "m"]], "", b"raw"]
    expected = (UpdateContact({"plan": "pro"}), TrackEvent("came", 7, b"{}"))
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(written), type=AcceptedEnvelope)
    assert (older.operations, older.replay, older.origin) == (expected, 0, 0)
    newer = msgspec.msgpack.decode(msgspec.msgpack.encode([*written, 2, 9, "new"]), type=AcceptedEnvelope)
    assert (newer.replay, newer.origin) == (2, 9)


EVENTS = (TrackEvent("one", 1, b""), TrackEvent("two", 2, b""))


@pytest.mark.parametrize(
    ("customer_id", "email", "attributes", "operations"),
    [
        ("u", "", {"plan": "pro"}, (UpdateContact({"plan": "pro"}), *EVENTS)),
        ("u", "a@x.org", {}, (UpdateContact({}), *EVENTS)),
        ("", "a@x.org", {}, EVENTS),
        ("u", "", {}, EVENTS),
    ],
)
def test_operations_update_the_contact_before_its_events(
    customer_id: str, email: str, attributes: dict[str, Scalar], operations: tuple[Operation, ...]
) -> None:
    assert operations_of(customer_id, email, attributes, EVENTS) == operations


def test_replace_events_keeps_the_update_and_the_order() -> None:
    later = (TrackEvent("one", 5, b""), TrackEvent("two", 6, b""))
    operations = (UpdateContact({"a": 1}), *EVENTS)
    assert replace_events(operations, later) == (UpdateContact({"a": 1}), *later)


@pytest.mark.parametrize(("customer_id", "email"), [("42", ""), ("", "ann@example.com"), ("e:x", ""), ("", "c:x@y.z")])
def test_lane_key_returns_its_identity(customer_id: str, email: str) -> None:
    assert user_of(lane_of(customer_id, email)) == (customer_id, email)
