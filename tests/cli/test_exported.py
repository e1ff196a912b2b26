"""Tests turning accepted envelopes back into those of senders."""

import pytest
from google.protobuf.json_format import ParseDict
from msgspec.structs import replace

from intercomd.v1.attribute_pb2 import Attribute, AttributeValue
from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.cli.exported import UnwritableEnvelope, sender_json
from intercomd_daemon.envelope import AcceptedEnvelope, TrackEvent
from intercomd_daemon.spool.maintenance import Exported

SENT = Envelope(
    connection="staging",
    environment="ENVIRONMENT_DEVELOPMENT",
    priority="PRIORITY_BULK",
    user_attributes=[Attribute(name="plan", value=AttributeValue(string_value="pro"))],
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
SENT.identity.customer_id = " 42 "
SENT.custom_event.name = "order"
ACCEPTED = AcceptedEnvelope(
    "id-1", "42", "", 1_750_000_000.75, (TrackEvent("order", 1_749_999_000, b""),), (), "", SENT.SerializeToString()
)


def sent_again(accepted: AcceptedEnvelope, connection: str = "eu") -> Envelope:
    return ParseDict(sender_json(Exported(connection, accepted)), Envelope())


def test_sender_json_keeps_what_was_sent_and_accepted() -> None:
    again = sent_again(ACCEPTED)
    assert (again.envelope_id, again.connection, again.event_time.seconds) == ("id-1", "eu", 1_749_999_000)
    assert again.environment == 0, "it was routed at acceptance, and is not routed again"
    for field in ("identity", "priority", "user_attributes", "custom_event", "traceparent"):
        assert getattr(again, field) == getattr(SENT, field)


def test_sender_json_leaves_out_unset_fields() -> None:
    assert set(sender_json(Exported("eu", replace(ACCEPTED, source=b"")))) == {
        "envelope_id",
        "connection",
        "event_time",
    }


def test_sender_json_without_an_event_has_the_accept_time() -> None:
    assert sent_again(replace(ACCEPTED, operations=())).event_time.seconds == 1_750_000_000


def test_sender_json_keeps_the_event_time_of_the_sender() -> None:
    """A replay holds the refused calls alone: its first event may be any of them."""
    source = Envelope.FromString(ACCEPTED.source)
    source.event_time.FromSeconds(1_749_998_000)
    later = replace(ACCEPTED, source=source.SerializeToString())
    assert sent_again(replace(later, operations=())).event_time.seconds == 1_749_998_000
    assert sent_again(replace(later, replay=1)).event_time.seconds == 1_749_998_000
    assert sent_again(later).event_time.seconds == 1_749_999_000


def test_sender_json_hashes_an_id_above_the_limit() -> None:
    names = ["r" * 128 + "/" + number for number in ("1", "2", "1")]
    ids = [sent_again(replace(ACCEPTED, envelope_id=name)).envelope_id for name in names]
    assert ids[0] == ids[2] != ids[1]
    assert sent_again(replace(ACCEPTED, envelope_id="i" * 128)).envelope_id == "i" * 128
    assert max(map(len, ids)) <= 128


@pytest.mark.parametrize("source", [b"\xff", SENT.SerializeToString()[:-1]])
def test_sender_json_rejects_bytes_that_are_not_an_envelope(source: bytes) -> None:
    with pytest.raises(UnwritableEnvelope, match=r"\w"):
        sender_json(Exported("eu", replace(ACCEPTED, source=source)))
