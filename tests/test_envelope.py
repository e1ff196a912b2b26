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
    Event,
    Priority,
    Source,
    lane_of,
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
    written = ["id", "u", "", 1.5, {"plan": "pro"}, [["came", 7, b"{}"]], [["R", "f", "m"]], "", b"raw"]
    envelope = AcceptedEnvelope("id", "u", "", 1.5, {"plan": "pro"}, (Event("came", 7, b"{}"),), (), "", b"raw")
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(written), type=AcceptedEnvelope)
    assert msgspec.structs.replace(older, adjustments=()) == envelope
    newer = msgspec.msgpack.decode(msgspec.msgpack.encode([*written, 2, 9, ["since"], "new"]), type=AcceptedEnvelope)
    assert (newer.replay, newer.origin) == (2, 9)


@pytest.mark.parametrize(("customer_id", "email"), [("42", ""), ("", "ann@example.com"), ("e:x", ""), ("", "c:x@y.z")])
def test_lane_key_returns_its_identity(customer_id: str, email: str) -> None:
    assert user_of(lane_of(customer_id, email)) == (customer_id, email)
