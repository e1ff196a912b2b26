"""From a line to an envelope, or to the reason why it is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd_daemon.cli.sending.envelopes import Unreadable, read_envelope

ADA = Envelope(identity=Identity(customer_id="42"))


@pytest.mark.parametrize(
    "text",
    [
        b'{"identity":{"customer_id":"42"}}',
        b'{"identity":{"customerId":"42"}}',
        b'\xef\xbb\xbf{"identity" : {"customer_id" : "42"} }',
    ],
)
def test_both_ways_of_writing_names_are_read(text: bytes) -> None:
    assert read_envelope(text) == ADA


REASONS = (
    (None, "longer than 1.0 MiB"),
    (b"\xff\xfe", "byte 0 is not UTF-8"),
    (b"[1]", "not a JSON object"),
    (b'{"identity":', "not JSON: Expecting value at character 13"),
    (b'{"identity":{}}{}', "not JSON: Extra data at character 16"),
    (b'{"nobody":1}', 'no field named "nobody"'),
    (b'{"identity":{"customer_id":42}}', "Failed to parse customer_id field"),
    (b'{"event_time":"yesterday"}', "Failed to parse event_time field"),
    (b'{"source":"SOURCE_MARS"}', "Invalid enum value SOURCE_MARS"),
    (b'{"custom_event":{},"other_event":{}}', 'multiple "event" oneof fields'),
    (b'{"identity":{},"identity":{}}', "duplicate key identity"),
    (b'{"a":' + 100_000 * b"[", "nested deeper"),
)


@pytest.mark.parametrize(("text", "reason"), REASONS, ids=[reason for _, reason in REASONS])
def test_the_reason_is_one_line(text: bytes | None, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        read_envelope(text)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


NAMES = st.sampled_from(
    [
        *(
            "envelopeId",
            "identity",
            "customer_id",
            "source",
            "eventTime",
            "userAttributes",
            "name",
            "value",
            "priority",
        ),
        *(
            "stringValue",
            "integer_value",
            "numberValue",
            "timeValue",
            "listValue",
            "values",
            "custom_event",
            "attributes",
        ),
        *("commerceEvent", "productAction", "products", "position", "sessionEndEvent", "duration", "[x]", "@type", ""),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=9),
    st.sampled_from(
        ["\ud800", "a\udfff", "NaN", "-Infinity", "1e999", "2026-13-41T99:99:99Z", "Z", "s", "-.5s", "9" * 30]
    ),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))


@given(st.dictionaries(NAMES, VALUES, max_size=5).map(json.dumps).map(str.encode) | st.binary(max_size=60))
def test_any_line_is_an_envelope_that_can_be_sent_or_unreadable_in_one_line(text: bytes) -> None:
    """Also half surrogates, numbers that are none, and values of another kind."""
    reason = ""
    try:
        sent = read_envelope(text)
    except Unreadable as error:
        sent, reason = Envelope(), str(error)
    assert "\n" not in reason
    assert Envelope.FromString(sent.SerializeToString()).ByteSize() == sent.ByteSize()
