"""Bytes are decoded to requests, or refused with the field and the reason."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from intercomd.v1.attribute_pb2 import Attribute, AttributeValue
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent as CustomEventMessage
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PreviewRequest, PublishRequest, PublishStreamRequest
from intercomd_daemon.envelope import Environment, Priority, Source
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.ingest.decode import decode_preview, decode_publish, decode_stream_publish
from intercomd_daemon.ingest.decoded import CustomEvent, DecodedEnvelope, DecodedRequest, UnknownValue
from intercomd_daemon.ingest.settings import IngestSettings

LIMITS = IngestSettings()
Decode = Callable[..., DecodedRequest]
ALL = [
    (decode_publish, PublishRequest),
    (decode_stream_publish, PublishStreamRequest),
    (decode_preview, PreviewRequest),
]
UNKNOWN_15 = b"\x78\x01"
UNKNOWN_101 = b"\xa8\x06\x01"


def new_id() -> str:
    return "made-here"


def one(envelope: Envelope) -> DecodedEnvelope:
    data = PublishRequest(envelopes=[envelope]).SerializeToString()
    return next(iter(decode_publish(data, LIMITS, new_id).envelopes))


def too_large(body: bytes) -> bytes:
    """Returns a request with one envelope of more than 128 KiB that has these fields."""
    body += b"\x32\x80\x80\x08" + bytes(128 * 1024)
    return b"\x12" + bytes([len(body) & 127 | 128, len(body) >> 7 & 127 | 128, len(body) >> 14]) + body


def test_every_field_of_an_envelope_is_decoded() -> None:
    message = Envelope(
        envelope_id="e-1",
        connection="eu",
        identity=Identity(customer_id=" u-1 ", email="A@B"),
        source=2,
        event_time=Timestamp(seconds=5, nanos=999_999_999),
        user_attributes=[Attribute(name="plan", value=AttributeValue(string_value="pro"))],
        removed_user_attributes=["old"],
        environment=2,
        priority=2,
        custom_event=CustomEventMessage(name="n"),
        traceparent="t",
    )
    assert one(message) == DecodedEnvelope(
        "e-1",
        True,
        "eu",
        " u-1 ",
        "A@B",
        Source.WEB,
        5,
        [("plan", "pro")],
        ["old"],
        Environment.DEVELOPMENT,
        Priority.BULK,
        CustomEvent("n", []),
        "t",
        message.SerializeToString(),
    )


def test_unset_fields_have_their_defaults() -> None:
    assert one(Envelope()) == DecodedEnvelope(
        "made-here",
        False,
        "default",
        "",
        "",
        Source.SERVER,
        None,
        [],
        [],
        Environment.PRODUCTION,
        Priority.NORMAL,
        None,
        "",
        b"",
        has_own_id=False,
    )


def test_time_of_zero_counts_as_set() -> None:
    assert one(Envelope(event_time=Timestamp())).event_time == 0


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1])
def test_time_at_the_limits_of_its_type_is_decoded(number: int) -> None:
    assert one(Envelope(event_time=Timestamp(seconds=number, nanos=-5))).event_time == number


def test_unknown_enum_numbers_count_as_unset_and_are_reported() -> None:
    sent = one(Envelope(source=9, environment=-1, priority=77, custom_event=CustomEventMessage(type=99)))
    assert (sent.source, sent.environment, sent.priority) == (Source.SERVER, Environment.PRODUCTION, Priority.NORMAL)
    assert [(finding.reason, finding.field) for finding in sent.adjustments] == [
        ("FIELD_IGNORED", "custom_event.type"),
        ("FIELD_IGNORED", "source"),
        ("FIELD_IGNORED", "environment"),
        ("FIELD_IGNORED", "priority"),
    ]


def test_envelope_without_an_id_gets_one_of_the_request() -> None:
    request = PublishRequest(request_id="r-1", envelopes=[Envelope(), Envelope(envelope_id="own"), Envelope()])
    decoded = decode_publish(request.SerializeToString(), LIMITS, new_id)
    assert [(sent.envelope_id, sent.recognised) for sent in decoded.envelopes] == [
        ("r-1/0", True),
        ("own", True),
        ("r-1/2", True),
    ]


def test_request_has_sequence_validate_only_and_size() -> None:
    publish = PublishRequest(envelopes=[Envelope()], validate_only=True).SerializeToString()
    stream = PublishStreamRequest(sequence=-7, envelopes=[Envelope()]).SerializeToString()
    preview = PreviewRequest(envelopes=[Envelope()]).SerializeToString()
    decoded = [decode(data, LIMITS, new_id) for (decode, _), data in zip(ALL, (publish, stream, preview), strict=True)]
    assert [(each.sequence, each.validate_only) for each in decoded] == [(0, True), (-7, False), (0, True)]
    assert [each.size_bytes for each in decoded] == [len(publish), len(stream), len(preview)]


@pytest.mark.parametrize(("decode", "kind"), ALL)
@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "envelopes"),
        (b"\x12\x00" * 501, "envelopes"),
        (b"\x12\xff", ""),
        (b"\x12\x03\x0a\x01\xff", ""),
        (b"\x12\x05\x0a\x03\xed\xa0\x80", ""),
        (b"\x12\x00\x12\x02\x32\x05", ""),
        (too_large(b"\x1a\x03\x0a\x01\xff"), ""),
        (too_large(b"\x12\x01\xff"), ""),
        (b"\xff" * 10, ""),
        (bytes(4 * 1024 * 1024 + 1), ""),
    ],
)
@pytest.mark.fills("ingest.settings.ENVELOPES_MAX")
@pytest.mark.fills("ingest.settings.REQUEST_BYTES_MAX")
def test_malformed_request_is_refused(decode: Decode, kind: type, data: bytes, field: str) -> None:
    if kind is PreviewRequest:
        data = data.replace(b"\x12", b"\x0a", 501)
    with pytest.raises(RequestRefused) as refused:
        list(decode(data, LIMITS, new_id).envelopes)
    assert refused.value.field == field
    assert refused.value.message


def test_request_id_above_128_bytes_is_refused() -> None:
    fits = PublishRequest(request_id="x" * 128, envelopes=[Envelope()])
    assert (
        next(iter(decode_publish(fits.SerializeToString(), LIMITS, new_id).envelopes)).envelope_id == "x" * 128 + "/0"
    )
    long = PublishRequest(request_id="ü" * 65, envelopes=[Envelope()])
    with pytest.raises(RequestRefused) as refused:
        decode_publish(long.SerializeToString(), LIMITS, new_id)
    assert refused.value.field == "request_id"


@pytest.mark.fills("ingest.envelopes_max")
@pytest.mark.fills("ingest.request_bytes_max")
def test_settings_limit_the_envelopes_and_bytes_of_a_request() -> None:
    data = PublishRequest(envelopes=[Envelope(envelope_id="e")] * 3).SerializeToString()
    with pytest.raises(RequestRefused):
        decode_publish(data, IngestSettings(envelopes_max=2), new_id)
    with pytest.raises(RequestRefused):
        decode_publish(data, IngestSettings(request_bytes_max=len(data) - 1), new_id)
    assert (
        len(decode_publish(data, IngestSettings(envelopes_max=3, request_bytes_max=len(data)), new_id).envelopes) == 3
    )


def test_too_large_envelope_is_rejected_undecoded() -> None:
    attribute = Attribute(name="a", value=AttributeValue(string_value="x" * (128 * 1024)))
    message = Envelope(envelope_id="e", connection="eu", identity=Identity(email="a@b"), user_attributes=[attribute])
    sent = one(message)
    assert [(finding.reason, finding.field) for finding in sent.violations] == [("ENVELOPE_TOO_LARGE", "")]
    assert (sent.envelope_id, sent.connection, sent.email, sent.user_attributes) == ("e", "eu", "a@b", [])


def test_too_large_envelope_keeps_its_environment() -> None:
    (sent,) = decode_publish(
        too_large(Envelope(envelope_id="e", environment=2).SerializeToString()), LIMITS, new_id
    ).envelopes
    assert (sent.envelope_id, sent.environment) == ("e", Environment.DEVELOPMENT)


def test_envelopes_are_decoded_during_each_iteration() -> None:
    """Iterating twice works, a malformed envelope raises in its turn, and membership can be tested."""
    good = Envelope(envelope_id="e").SerializeToString()
    decoded = decode_publish(b"\x12" + bytes([len(good)]) + good + b"\x12\x01\x0a", LIMITS, new_id).envelopes
    assert [next(iter(decoded)).envelope_id for _ in range(2)] == ["e", "e"]
    with pytest.raises(RequestRefused):
        list(decoded)
    request = PublishRequest(envelopes=[Envelope(envelope_id="a"), Envelope(envelope_id="b")])
    both = decode_publish(request.SerializeToString(), LIMITS, new_id).envelopes
    assert [envelope in both for envelope in (one(Envelope(envelope_id="b")), one(Envelope(envelope_id="c")))] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("envelope", "read", "field"),
    [
        (Envelope(user_attributes=[Attribute(name="a")] * 501), lambda sent: sent.user_attributes, "user_attributes"),
        (
            Envelope(removed_user_attributes=["a"] * 501),
            lambda sent: sent.removed_user_attributes,
            "removed_user_attributes",
        ),
    ],
)
@pytest.mark.fills("ingest.limits.USER_ATTRIBUTES_READ_MAX")
def test_attributes_beyond_five_hundred_are_dropped_undecoded(
    envelope: Envelope, read: Callable[[DecodedEnvelope], list[object]], field: str
) -> None:
    sent = one(envelope)
    assert len(read(sent)) == 500
    assert [(finding.reason, finding.field) for finding in sent.adjustments] == [("ATTRIBUTE_DROPPED", field)]


def test_many_unknown_fields_of_a_request_become_one_finding() -> None:
    """Every envelope repeats these findings, so a response of 500 results needs few of them."""
    data = PublishRequest(envelopes=[Envelope(envelope_id="a")] * 2).SerializeToString()
    few, many = (
        data + b"".join(b"\x80" + bytes([128 | n % 128, 1 + n // 128, 0]) for n in range(count))
        for count in (150, 8000)
    )
    assert [len(sent.adjustments) for sent in decode_publish(few, LIMITS, new_id).envelopes] == [101, 101]
    assert [len(sent.adjustments) for sent in decode_publish(many, LIMITS, new_id).envelopes] == [1, 1]


def test_envelope_of_128_kib_is_accepted() -> None:
    empty = len(Envelope(user_attributes=[Attribute(name="x" * 100_000)]).SerializeToString()) - 100_000
    sent = one(Envelope(user_attributes=[Attribute(name="x" * (128 * 1024 - empty))]))
    assert len(sent.encoded) == 128 * 1024
    assert not sent.violations


def test_unknown_fields_are_reported_and_kept_in_the_bytes() -> None:
    matters = Envelope(envelope_id="a").SerializeToString() + UNKNOWN_15
    passes = Envelope(envelope_id="b").SerializeToString() + UNKNOWN_101
    value = AttributeValue.FromString(UNKNOWN_15)
    newer_kind = Envelope(envelope_id="c", user_attributes=[Attribute(name="n", value=value)]).SerializeToString()
    data = b"".join(b"\x12" + bytes([len(each)]) + each for each in (matters, passes, newer_kind)) + UNKNOWN_15
    first, second, third = decode_publish(data, LIMITS, new_id).envelopes
    assert [(finding.reason, finding.field) for finding in first.violations] == [("UNSUPPORTED_FIELD", "")]
    assert [finding.reason for finding in first.adjustments] == ["FIELD_IGNORED"]
    assert [(finding.reason, finding.field) for finding in second.adjustments] == [("FIELD_IGNORED", "")] * 2
    assert [finding.field for finding in third.adjustments] == ["", "user_attributes[0].value"]
    assert third.user_attributes == [("n", UnknownValue.KIND)]
    assert [each.encoded for each in (first, second, third)] == [matters, passes, newer_kind]


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda body: b"\x12" + bytes([len(body)]) + body))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    for decode, _ in ALL:
        with suppress(RequestRefused):
            decoded = decode(data, LIMITS, new_id).envelopes
            assert 1 <= len(list(decoded)) == len(decoded) <= 500
