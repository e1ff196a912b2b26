"""The fast path decodes as the general path does, and leaves everything unusual to it."""

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from intercomd.v1 import event_pb2 as events
from intercomd.v1.attribute_pb2 import Attribute, AttributeValue, StringList
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.ingest.decode import decode_publish
from intercomd_daemon.ingest.decode_canonical import decode_canonical
from intercomd_daemon.ingest.decoded import (
    CommerceEvent,
    CustomEvent,
    DecodedEnvelope,
    DecodedEvent,
    OtherEvent,
    SessionEnd,
)
from intercomd_daemon.ingest.settings import IngestSettings

DEFAULT_PRIORITY = b"\x48\x00"
"""A field with its default value, which protobuf leaves out: with it, an envelope takes the general path."""

ATTRIBUTE = Attribute(name="plan", value=AttributeValue(string_value="pro"))
VALUES = st.builds(AttributeValue, string_value=st.text(max_size=5)) | st.one_of(
    st.builds(AttributeValue, integer_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AttributeValue, boolean_value=st.booleans()),
    st.builds(AttributeValue, number_value=st.floats(allow_nan=False)),
    st.builds(AttributeValue, time_value=st.builds(Timestamp, seconds=st.integers(-5, 5))),
    st.builds(AttributeValue, list_value=st.builds(StringList, values=st.lists(st.text(max_size=2), max_size=2))),
    st.just(AttributeValue()),
)
ATTRIBUTES = st.lists(
    st.builds(Attribute, name=st.sampled_from(["plan", "a.b", "", "id"]) | st.text(max_size=4), value=VALUES),
    max_size=4,
)
EVENTS = st.builds(events.CustomEvent, name=st.text(max_size=3), type=st.integers(0, 12), attributes=ATTRIBUTES)
COMMERCE = st.builds(
    events.CommerceEvent,
    currency_code=st.text(max_size=3),
    attributes=ATTRIBUTES,
    product_action=st.none()
    | st.builds(events.ProductAction, action=st.integers(0, 12), coupon_code=st.text(max_size=3)),
)
ENVELOPES = st.builds(
    Envelope,
    envelope_id=st.text(max_size=3),
    connection=st.text(max_size=3),
    identity=st.none() | st.builds(Identity, customer_id=st.text(max_size=3), email=st.text(max_size=3)),
    source=st.integers(0, 7),
    event_time=st.none() | st.builds(Timestamp, seconds=st.integers(-2, 2), nanos=st.integers(0, 2)),
    user_attributes=ATTRIBUTES,
    removed_user_attributes=st.lists(st.text(max_size=3), max_size=2),
    environment=st.integers(0, 3),
    traceparent=st.text(max_size=3),
)
EVENT_FIELDS = st.one_of(
    st.just({}),
    st.builds(lambda event: {"custom_event": event}, EVENTS),
    st.builds(lambda event: {"commerce_event": event}, COMMERCE),
    st.builds(lambda name: {"session_end_event": events.SessionEndEvent(session_id=name)}, st.text(max_size=3)),
    st.builds(lambda name: {"other_event": events.OtherEvent(type=name)}, st.text(max_size=3)),
)


def decoded(encoded: bytes) -> DecodedEnvelope:
    length = bytes([len(encoded) & 127 | 128, len(encoded) >> 7])
    (envelope,) = decode_publish(b"\x12" + length + encoded, IngestSettings(), lambda: "given").envelopes
    return envelope


@given(ENVELOPES, EVENT_FIELDS)
def test_both_paths_decode_an_envelope_to_the_same(envelope: Envelope, event: dict[str, Any]) -> None:
    envelope.MergeFrom(Envelope(**event))
    encoded = envelope.SerializeToString()
    assert decode_canonical(encoded + DEFAULT_PRIORITY) is None
    assert decoded(encoded) == replace(decoded(encoded + DEFAULT_PRIORITY), encoded=encoded)


@given(st.binary(max_size=12), st.sampled_from([b"\x32", b"\x1a", b"\x2a", b"\x52", b"\x5a", b"\x62"]))
def test_both_paths_refuse_or_decode_any_part(part: bytes, key: bytes) -> None:
    encoded = Envelope(envelope_id="e").SerializeToString() + key + bytes([len(part)]) + part
    fast, general = [], []
    for results, data in ((fast, encoded), (general, encoded + DEFAULT_PRIORITY)):
        try:
            results.append(replace(decoded(data), encoded=b""))
        except Exception as error:  # noqa: BLE001 - it is compared
            results.append(repr(error))
    assert fast == general


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(),
        Envelope(user_attributes=[ATTRIBUTE] * 500),
        Envelope(custom_event=events.CustomEvent(name="n", attributes=[ATTRIBUTE] * 100)),
        Envelope(removed_user_attributes=["a"] * 500, custom_event=events.CustomEvent(name="n")),
        Envelope(event_time=Timestamp(), source=99, environment=99, priority=99, traceparent="t"),
    ],
)
def test_common_envelope_takes_the_fast_path(envelope: Envelope) -> None:
    parts = decode_canonical(envelope.SerializeToString())
    assert parts is not None
    message, user_attributes, event = parts
    assert len(user_attributes) == len(envelope.user_attributes)
    assert message.HasField("event_time") == envelope.HasField("event_time")
    custom = envelope.custom_event
    expected = CustomEvent(custom.name, [("plan", "pro")] * len(custom.attributes)) if custom.name else None
    assert event == expected


@pytest.mark.parametrize(
    ("envelope", "event"),
    [
        (
            Envelope(commerce_event=events.CommerceEvent(currency_code="EUR", attributes=[ATTRIBUTE])),
            CommerceEvent(None, "EUR", "", [("plan", "pro")]),
        ),
        (Envelope(commerce_event=events.CommerceEvent()), CommerceEvent(None, "", "", [])),
        (Envelope(session_end_event=events.SessionEndEvent(session_id="s")), SessionEnd("s", None, [])),
        (Envelope(other_event=events.OtherEvent(type="screen_view")), OtherEvent("screen_view")),
    ],
)
def test_other_kinds_of_events_take_the_fast_path(envelope: Envelope, event: DecodedEvent) -> None:
    parts = decode_canonical(envelope.SerializeToString())
    assert parts is not None
    assert parts[2] == event


@pytest.mark.parametrize(
    "encoded",
    [
        each.SerializeToString() if isinstance(each, Envelope) else each
        for each in (
            Envelope(user_attributes=[ATTRIBUTE] * 501),
            Envelope(custom_event=events.CustomEvent(name="n", attributes=[ATTRIBUTE] * 101)),
            Envelope(removed_user_attributes=["a"] * 501),
            Envelope(custom_event=events.CustomEvent()),
            Envelope(custom_event=events.CustomEvent(name="n", type=99)),
            Envelope(commerce_event=events.CommerceEvent(product_action=events.ProductAction(action=99))),
            Envelope(session_end_event=events.SessionEndEvent(attributes=[ATTRIBUTE] * 101)),
            b"\x5a\x02\x78\x01",
            b"\x5a\x03\x22\x01\xff",
            b"\x78\x01",  # unknown fields: of the envelope, the identity, the event, an attribute and its value
            b"\x1a\x02\x78\x01",
            b"\x52\x05\x0a\x01n\x78\x01",
            b"\x32\x02\x78\x01",
            b"\x32\x04\x12\x02\x78\x01",
            b"\x1a\x00\x1a\x00",  # a field twice
            b"\x52\x03\x0a\x01n\x5a\x00",  # two events
            b"\x1a\x03\x0a\x01\xff",
            b"\x32\x05",
            b"\x32\x03\x0a\x01\xff",
        )
    ],
)
def test_every_other_envelope_takes_the_general_path(encoded: bytes) -> None:
    assert decode_canonical(encoded) is None


def test_request_with_common_envelopes_keeps_their_order() -> None:
    sent = [Envelope(envelope_id=f"e-{number}", user_attributes=[ATTRIBUTE]) for number in range(5)]
    data = PublishRequest(envelopes=sent).SerializeToString()
    envelopes = list(decode_publish(data, IngestSettings(), lambda: "").envelopes)
    assert [each.envelope_id for each in envelopes] == [each.envelope_id for each in sent]
    assert {tuple(each.user_attributes) for each in envelopes} == {(("plan", "pro"),)}


def test_messages_of_an_envelope_are_decoded_but_for_attributes_and_other_events() -> None:
    parts = decode_canonical(b"")
    assert parts is not None
    encoded = {field.name for field in parts[0].DESCRIPTOR.fields if field.type == FieldDescriptor.TYPE_BYTES}
    others = {field.name for field in Envelope.DESCRIPTOR.oneofs_by_name["event"].fields} - {"custom_event"}
    assert encoded == {"user_attributes"} | others
