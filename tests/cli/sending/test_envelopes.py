"""Tests parsing lines into envelopes, and the ids of lines without one."""

import json
from collections.abc import Iterable
from contextlib import closing
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd_daemon.cli.sending.envelopes import StableIds, UnreadableLine, derive_id, parse_envelope

ADA = Envelope(identity=Identity(customer_id="42"))


@pytest.mark.parametrize(
    "text",
    [
        b'{"identity":{"customer_id":"42"}}',
        b'{"identity":{"customerId":"42"}}',
        b'\xef\xbb\xbf{"identity" : {"customer_id" : "42"} }',
    ],
)
def test_parse_accepts_snake_case_and_lower_camel_case(text: bytes) -> None:
    assert parse_envelope(text) == ADA


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
def test_parse_explains_an_unreadable_line_in_one_line(text: bytes | None, reason: str) -> None:
    with pytest.raises(UnreadableLine) as error:
        parse_envelope(text)
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
def test_parse_of_any_line_returns_a_serializable_envelope_or_one_line(text: bytes) -> None:
    """Includes lone surrogates, NaN, and values of the wrong type."""
    reason = ""
    try:
        sent = parse_envelope(text)
    except UnreadableLine as error:
        sent, reason = Envelope(), str(error)
    assert "\n" not in reason
    assert Envelope.FromString(sent.SerializeToString()).ByteSize() == sent.ByteSize()


def ids(lines: Iterable[bytes]) -> list[str]:
    with closing(StableIds()) as stable:
        return [stable.next_id(line) for line in lines]


def test_stable_ids_are_equal_for_equal_files() -> None:
    assert ids([b"a", b"b", b"a"]) == ids([b"a", b"b", b"a"])


def test_stable_ids_differ_for_equal_lines_of_a_file() -> None:
    assert len(set(ids([b"a"] * 5 + [b"b"]))) == 6


def test_stable_ids_do_not_depend_on_other_lines() -> None:
    assert ids([b"new", b"a", b"b"])[1:] == ids([b"a", b"b"])


def test_stable_ids_are_uuids_of_version_8() -> None:
    parsed = [UUID(text) for text in ids(b"%d" % number for number in range(50))]
    assert {each.version for each in parsed} == {8}
    assert {each.variant for each in parsed} == {"specified in RFC 4122"}


def test_stable_ids_do_not_change_between_releases() -> None:
    assert derive_id(bytes(16), 1) == ID_OF_ZEROS


ID_OF_ZEROS = "553e6c44-223e-8742-b2d1-6b9ae8871367"
