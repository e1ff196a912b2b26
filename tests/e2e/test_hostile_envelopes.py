"""Hostile and extreme envelopes: what of them arrives, and that other senders do not wait for them."""

import asyncio

import grpc
import pytest

from daemons.process import Daemon, Start
from intercomd.v1.ingest_pb2 import Disposition, EnvelopeResult, PublishRequest, PublishResponse
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope
from senders.costly_requests import shape

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
SKIPPED = Disposition.DISPOSITION_SKIPPED
REJECTED = Disposition.DISPOSITION_REJECTED
TEXTS = {
    "NUL": "a\0b",
    "controls": "\x1b[2J\x07\x7f\x85",
    "bidi": "\u202etxt.exe\u2066\u2069",
    "no letters": "\ufeff\ufffe\ufdd0\U0010ffff\U000e0001",
    "combined": "e\u0301" * 9 + "🏳️‍🌈",
    "lines": "one\r\ntwo\u2028three",
    "HTML": "<script>alert('1')</script>",
    "JSON": '"},"x":{"',
}
WITHOUT_CONTROLS = {"NUL": "ab", "controls": "[2J\x85"}
LARGEST = 2**63 - 1
FULL_BYTES = 4_000_000


def reasons(result: EnvelopeResult) -> list[tuple[str, str]]:
    return [(violation.reason, violation.field) for violation in result.violations]


@pytest.mark.parametrize("name", TEXTS)
async def test_text_arrives_unchanged_and_names_are_repaired(
    shared: Daemon, shared_sandbox: Sandbox, name: str
) -> None:
    text, final = TEXTS[name], WITHOUT_CONTROLS.get(name, TEXTS[name])
    user, envelope_id = f"{name} user", f"id of {name} {text}"
    sent = envelope(user, "Opened", update={"plan": text}, metadata={"key": text}, envelope_id=envelope_id)
    named = envelope(user, f"Event {text}", at=1, metadata={f"key {text}": 1}, envelope_id=f"second {envelope_id}")
    answer = await shared.publish(sent, named)
    assert [(each.envelope_id, each.disposition) for each in answer.results] == [
        (envelope_id, ACCEPTED),
        (f"second {envelope_id}", ACCEPTED),
    ]
    await shared.until(lambda: sum(event.external_id == user for event in shared_sandbox.events) == 2)
    opened, other = [event for event in shared_sandbox.events if event.external_id == user]
    assert (opened.name, opened.metadata) == ("Opened", {"key": final})
    assert not set("\0\x1b\x07\x7f\r\n.$") & set(other.name + next(iter(other.metadata)))
    (contact,) = [contact for contact in shared_sandbox.contacts if contact.external_id == user]
    assert contact.custom_attributes["plan"] == final


@pytest.mark.parametrize("name", TEXTS)
async def test_customer_ids_arrive_unchanged_or_are_rejected(
    shared: Daemon, shared_sandbox: Sandbox, name: str
) -> None:
    """Control characters, except tab and line breaks, are rejected, as without them another user could be meant."""
    user = f"id {TEXTS[name]} end"
    sent = envelope(user, "Opened", update={"plan": "gold"}, metadata={"key": "value"}, envelope_id=f"id {name}")
    (result,) = (await shared.publish(sent)).results
    if name in WITHOUT_CONTROLS:
        assert (result.disposition, reasons(result)) == (REJECTED, [("INVALID_CUSTOMER_ID", "identity.customer_id")])
        return
    assert (result.disposition, list(result.adjustments)) == (ACCEPTED, [])
    await shared.ended([f"id {name}"])
    (contact,) = [contact for contact in shared_sandbox.contacts if contact.external_id == user]
    assert contact.custom_attributes["plan"] == "gold"
    assert [event.name for event in shared_sandbox.events if event.external_id == user] == ["Opened"]
    (outcome,) = [outcome for outcome in await shared.journal() if outcome.envelope_id == f"id {name}"]
    assert outcome.identity.customer_id == user


async def test_numbers_at_the_limits_arrive_exactly(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """What is not a number is dropped; an envelope of nothing else is skipped."""
    edges = {
        "largest": LARGEST,
        "smallest": -LARGEST - 1,
        "tiny": 5e-324,
        "huge": 1.7976931348623157e308,
        "minus": -0.0,
    }
    none = [float("nan"), float("inf"), float("-inf")]
    answer = await shared.publish(
        envelope("edges", "Measured", metadata=edges),
        *(envelope("edges", update={"score": number}) for number in none),
        *(envelope("no numbers", "Measured", metadata={"score": number}) for number in none),
    )
    assert [result.disposition for result in answer.results] == [ACCEPTED, *[SKIPPED] * 3, *[ACCEPTED] * 3]
    dropped = [adjustment.reason for result in answer.results[1:] for adjustment in result.adjustments]
    assert dropped.count("ATTRIBUTE_DROPPED") == 6
    await shared.until(lambda: any(event.external_id == "edges" for event in shared_sandbox.events))
    (event,) = [event for event in shared_sandbox.events if event.external_id == "edges"]
    assert event.metadata == edges


async def test_first_attributes_stay_of_any_number(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """An envelope with 100,000 of them is too large."""
    many = envelope("many", update={f"a{number}": True for number in range(5000)})
    too_many = envelope("many", update={f"a{number}": True for number in range(100_000)})
    answer = await shared.publish(many, too_many)
    accepted, rejected = answer.results
    assert (accepted.disposition, reasons(accepted)) == (ACCEPTED, [])
    assert {adjustment.reason for adjustment in accepted.adjustments} == {"ATTRIBUTE_DROPPED"}
    assert len(accepted.adjustments) == 250
    assert reasons(rejected) == [("ENVELOPE_TOO_LARGE", "")]
    await shared.until(lambda: any(contact.external_id == "many" for contact in shared_sandbox.contacts))
    assert answer.ByteSize() < 1 << 20


@pytest.mark.asyncio(loop_scope="function")
async def test_excess_attributes_are_rejected_if_the_setting_says_so(start: Start) -> None:
    daemon = await start(connections={"default": {"limits": {"on_excess": "reject"}}})
    many = {f"a{number}": True for number in range(5000)}
    answer = await daemon.publish(envelope("u1", update=many), envelope("u1", "Opened", metadata=many))
    assert [reasons(result) for result in answer.results] == [
        [("TOO_MANY_ATTRIBUTES", "user_attributes")],
        [("TOO_MANY_ATTRIBUTES", "custom_event.attributes")],
    ]


@pytest.mark.parametrize("name", ["products with attributes", "small envelopes of attributes"])
async def test_most_expensive_request_does_not_block_the_others(shared: Daemon, name: str) -> None:
    publish = shared.open_channel(shared.ingest_address).unary_unary("/intercomd.v1.IngestService/Publish")
    costly = asyncio.ensure_future(publish(shape(name, FULL_BYTES)))
    await publish(PublishRequest(envelopes=[envelope("u1", "Opened")], validate_only=True).SerializeToString())
    others = 0
    while not costly.done():
        answer = await shared.ingest.Publish(PublishRequest(envelopes=[envelope("u1", "Opened")], validate_only=True))
        assert answer.results[0].disposition == ACCEPTED
        others += 1
    assert PublishResponse.FromString(await costly).results
    assert others > 3


async def test_request_that_expands_too_much_is_refused(shared: Daemon) -> None:
    """500 envelopes of 6 KB, whose events would have 300 MB."""
    publish = shared.channel.unary_unary("/intercomd.v1.IngestService/Publish")
    call = publish(shape("large attributes of a hundred products", FULL_BYTES))
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "limit 33554432" in await call.details()
