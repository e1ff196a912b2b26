"""Publish and Preview: the result of each envelope, and the calls to Intercom that follow."""

import asyncio
from uuid import UUID

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from daemons.process import Daemon
from intercomd.v1.envelope_pb2 import Environment, Source
from intercomd.v1.event_pb2 import CommerceEvent, OtherEvent, Product, ProductAction, ProductActionType
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import Disposition, EnvelopeResult, PreviewRequest, PublishRequest, PublishResponse
from intercomd_daemon.sandbox import Sandbox
from senders.client import NOON, envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
DUPLICATE = Disposition.DISPOSITION_DUPLICATE
SKIPPED = Disposition.DISPOSITION_SKIPPED
REJECTED = Disposition.DISPOSITION_REJECTED

PURCHASE = CommerceEvent(
    product_action=ProductAction(
        action=ProductActionType.PRODUCT_ACTION_TYPE_PURCHASE,
        products=[Product(id="p1", name="Shoe", price="19.99", quantity="2")],
        transaction_id="t1",
        total_amount="39.98",
    )
)

EVERY_KIND = (
    (envelope("k1", "Opened", envelope_id="good"), ACCEPTED, ""),
    (envelope("k1", "Opened", envelope_id="good"), DUPLICATE, ""),
    (envelope("", "Opened", envelope_id="unidentified"), REJECTED, "IDENTITY_REQUIRED identity"),
    (envelope(" \t", "Opened", email=" ", envelope_id="blank"), REJECTED, "IDENTITY_REQUIRED identity"),
    (envelope(email="no address", event="Opened"), REJECTED, "INVALID_EMAIL identity.email"),
    (envelope("k" * 256, "Opened"), REJECTED, "IDENTITY_TOO_LONG identity.customer_id"),
    (envelope("k2", "Opened", connection="nowhere"), REJECTED, "UNKNOWN_CONNECTION connection"),
    (envelope("k2", " "), REJECTED, "EVENT_NAME_REQUIRED custom_event.name"),
    (envelope("k2", "n" * 256), REJECTED, "EVENT_NAME_TOO_LONG custom_event.name"),
    (envelope("k2"), REJECTED, "EMPTY_ENVELOPE "),
    (envelope("k2", "Opened", envelope_id="i" * 129), REJECTED, "ENVELOPE_ID_TOO_LONG envelope_id"),
    (envelope("k2", "Opened", event_time=Timestamp(seconds=1)), REJECTED, "INVALID_TIME event_time"),
    (envelope("k2", "Opened", traceparent="x" * 140_000), REJECTED, "ENVELOPE_TOO_LARGE "),
    (envelope("k2", update={"score": float("nan")}), SKIPPED, "NOTHING_LEFT user_attributes"),
    (envelope("null", "Opened"), REJECTED, "PLACEHOLDER_ID identity.customer_id"),
    (envelope("k\0", "Opened"), REJECTED, "INVALID_CUSTOMER_ID identity.customer_id"),
    (envelope("k3", other_event=OtherEvent(type="screen_view")), SKIPPED, "UNSUPPORTED_EVENT_TYPE other_event"),
    (
        envelope("k3", commerce_event=PURCHASE, source=Source.SOURCE_WEB),
        SKIPPED,
        "COMMERCE_FROM_WEB commerce_event",
    ),
    (
        envelope("k3", "Opened", environment=Environment.ENVIRONMENT_DEVELOPMENT),
        SKIPPED,
        "DEVELOPMENT_DATA environment",
    ),
    (envelope("k4", update={"plan": "gold"}, envelope_id="also good"), ACCEPTED, ""),
    (envelope("k5", commerce_event=PURCHASE, envelope_id="bought"), ACCEPTED, ""),
)


async def test_results_are_in_the_order_of_the_batch(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Every disposition in one batch: the good is accepted and the bad explained."""
    answer = await shared.publish(*(sent for sent, _, _ in EVERY_KIND))
    found = [(result.disposition, _first(result)) for result in answer.results]
    assert found == [(disposition, reason) for _, disposition, reason in EVERY_KIND]
    for (sent, _, _), result in zip(EVERY_KIND, answer.results, strict=True):
        assert result.envelope_id.startswith(sent.envelope_id[:100])
        assert all(violation.message for violation in result.violations)
    assert answer.spool.envelopes >= 1
    await shared.ended(["good", "also good", "bought"])
    taken = {event.external_id: event.name for event in shared_sandbox.events}
    assert taken == {"k1": "Opened", "k5": "eCommerce - purchase - Total"}
    assert {contact.external_id for contact in shared_sandbox.contacts} == {"k1", "k4", "k5"}


def _first(result: EnvelopeResult) -> str:
    return f"{result.violations[0].reason} {result.violations[0].field}" if result.violations else ""


async def test_unknown_fields_are_rejected_if_they_may_matter_else_named(
    shared: Daemon,
) -> None:
    """Fields 14 of an envelope and 4 of an identity are unknown today; so is 900, which cannot change what is meant."""
    plain = envelope("f1", "Opened")
    unknown = [
        plain.SerializeToString() + _text_field(14),
        plain.SerializeToString() + _text_field(900),
        envelope(event="Opened").SerializeToString() + _message_field(3, Identity(customer_id="f1"), _text_field(4)),
    ]
    request = b"".join(_length_delimited(2, each) for each in unknown)
    publish = shared.channel.unary_unary("/intercomd.v1.IngestService/Publish", None, PublishResponse.FromString)
    answer = await publish(request)
    assert [(result.disposition, _first(result)) for result in answer.results] == [
        (REJECTED, "UNSUPPORTED_FIELD "),
        (ACCEPTED, ""),
        (REJECTED, "UNSUPPORTED_FIELD identity"),
    ]
    assert [adjustment.reason for adjustment in answer.results[1].adjustments] == ["FIELD_IGNORED"]


def _text_field(number: int) -> bytes:
    return _length_delimited(number, b"new")


def _message_field(number: int, message: Identity, more: bytes) -> bytes:
    return _length_delimited(number, message.SerializeToString() + more)


def _length_delimited(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes((*encoded, number))


async def test_request_repeated_with_its_id_is_accepted_once(shared: Daemon, shared_sandbox: Sandbox) -> None:
    batch = [envelope("r1", f"Step {number}") for number in range(3)]
    first = await shared.publish(*batch, request_id="request-1")
    again = await shared.publish(*batch, request_id="request-1")
    names = [f"request-1/{index}" for index in range(3)]
    assert [(result.envelope_id, result.disposition) for result in first.results] == [(n, ACCEPTED) for n in names]
    assert [(result.envelope_id, result.disposition) for result in again.results] == [(n, DUPLICATE) for n in names]
    await shared.ended(names)
    assert sum(event.external_id == "r1" for event in shared_sandbox.events) == 3


async def test_envelope_id_is_recognised_over_requests_and_within_one(shared: Daemon) -> None:
    first = await shared.publish(*(envelope("d1", "Opened", envelope_id=name) for name in ("a", "b", "a")))
    again = await shared.publish(*(envelope("d1", "Other", envelope_id=name) for name in ("c", "b", "a")))
    assert [result.disposition for result in first.results] == [ACCEPTED, ACCEPTED, DUPLICATE]
    assert [result.disposition for result in again.results] == [ACCEPTED, DUPLICATE, DUPLICATE]
    await shared.ended(["a", "b", "c"])


async def test_concurrent_equal_ids_are_accepted_once(shared: Daemon, shared_sandbox: Sandbox) -> None:
    calls = [shared.publish(envelope("once", "Opened", envelope_id="the one")) for _ in range(50)]
    results = [answer.results[0].disposition for answer in await asyncio.gather(*calls)]
    assert sorted(results) == [ACCEPTED] + 49 * [DUPLICATE]
    await shared.ended(["the one"])
    assert sum(event.external_id == "once" for event in shared_sandbox.events) == 1


async def test_envelope_without_an_id_gets_one_and_is_never_a_duplicate(shared: Daemon) -> None:
    answers = [await shared.publish(envelope("w1", "Opened")) for _ in range(2)]
    names = [UUID(answer.results[0].envelope_id) for answer in answers]
    assert [answer.results[0].disposition for answer in answers] == [ACCEPTED, ACCEPTED]
    assert [name.version for name in names] == [7, 7]
    assert names[0] < names[1]


async def test_rejected_id_can_be_fixed_and_sent_again(shared: Daemon) -> None:
    refused = await shared.publish(envelope("", "Opened", envelope_id="repaired"))
    repaired = await shared.publish(envelope("m1", "Opened", envelope_id="repaired"))
    again = await shared.publish(envelope("m1", "Opened", envelope_id="repaired"))
    dispositions = [answer.results[0].disposition for answer in (refused, repaired, again)]
    assert dispositions == [REJECTED, ACCEPTED, DUPLICATE]


async def test_validate_only_and_preview_neither_read_nor_write_ids(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Neither an id that was accepted nor one that was only looked at makes a difference to them."""
    known = envelope("v1", "Opened", update={"plan": "gold"}, envelope_id="known")
    await shared.publish(known)
    await shared.ended(["known"])
    calls = len(shared_sandbox.calls)
    new = envelope("v2", "Opened", metadata={"n": 1}, update={"plan": "gold"}, envelope_id="new")
    batch = [known, new, envelope("", "Opened", envelope_id="unidentified too")]
    looked = await shared.publish(*batch, validate_only=True)
    preview = await shared.ingest.Preview(PreviewRequest(envelopes=batch))
    assert [result.disposition for result in looked.results] == [ACCEPTED, ACCEPTED, REJECTED]
    assert [each.result for each in preview.previews] == list(looked.results)
    requests = [[(each.method, each.path) for each in preview.requests] for preview in preview.previews]
    assert requests == 2 * [[("POST", "/contacts"), ("POST", "/events")]] + [[]]
    assert preview.previews[1].requests[1].json_body == (
        f'{{"event_name":"Opened","created_at":{NOON},"user_id":"v2","metadata":{{"n":1}}}}'
    )
    assert len(shared_sandbox.calls) == calls
    taken = await shared.publish(new)
    assert taken.results[0].disposition == ACCEPTED
    await shared.ended(["new"])
    sent = [call for call in shared_sandbox.calls if call.path == "/events" and b'"v2"' in call.body]
    assert [call.body.decode() for call in sent] == [preview.previews[1].requests[1].json_body]


async def test_events_of_the_same_second_get_seconds_of_their_own(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """The response says so."""
    batch = [envelope("s1", name, at=5, metadata={"n": 1}, envelope_id=name) for name in ("Clicked", "CLICKED", "Read")]
    answer = await shared.publish(*batch)
    assert [result.event_time.seconds - NOON for result in answer.results] == [5, 6, 5]
    assert [[each.reason for each in result.adjustments] for result in answer.results] == [[], ["TIME_SHIFTED"], []]
    await shared.ended([each.envelope_id for each in batch])
    arrived = [(event.name, event.created_at - NOON) for event in shared_sandbox.events if event.external_id == "s1"]
    assert arrived == [("Clicked", 5), ("CLICKED", 6), ("Read", 5)]


async def test_unsupported_event_is_left_out_beside_attributes(shared: Daemon, shared_sandbox: Sandbox) -> None:
    answer = await shared.publish(
        envelope("e1", other_event=OtherEvent(type="screen_view"), update={"plan": "gold"}, envelope_id="left out")
    )
    (result,) = answer.results
    assert result.disposition == ACCEPTED
    assert [adjustment.reason for adjustment in result.adjustments] == ["EVENT_SKIPPED"]
    await shared.ended(["left out"])
    assert any(contact.external_id == "e1" for contact in shared_sandbox.contacts)
    assert not any(event.external_id == "e1" for event in shared_sandbox.events)


async def test_compressed_request_is_accepted(shared: Daemon) -> None:
    request = PublishRequest(envelopes=[envelope("z1", "Opened", metadata={"text": "x" * 1000}) for _ in range(100)])
    answer = await shared.ingest.Publish(request, compression=grpc.Compression.Gzip)
    assert {result.disposition for result in answer.results} == {ACCEPTED}


async def test_concurrent_requests_are_answered_for_their_own_envelopes(shared: Daemon) -> None:
    names = [f"crowd-{number}" for number in range(500)]
    calls = [shared.publish(envelope(f"c{n % 20}", "Opened", envelope_id=name)) for n, name in enumerate(names)]
    answers = await asyncio.gather(*calls)
    assert [answer.results[0].envelope_id for answer in answers] == names
    assert {answer.results[0].disposition for answer in answers} == {ACCEPTED}
    await shared.ended(names)
