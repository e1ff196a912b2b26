"""Attributes are decoded from their canonical encoding, and some are remembered."""

import pytest
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from intercomd.v1 import attribute_pb2 as pb
from intercomd_daemon.envelope import Link, Money, Tag, Time
from intercomd_daemon.ingest.attribute_cache import CACHED_ATTRIBUTES_MAX, CACHED_ENCODED_NAMES_MAX, AttributeCache
from intercomd_daemon.ingest.decoded import DecodedValue, UnchangedAttributes


def encoded(name: str, **value: object) -> bytes:
    return pb.Attribute(name=name, value=pb.AttributeValue(**value)).SerializeToString()  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "x", "ü" * 50, "x" * 93, 0, 1, 127, 128, 16_384, 2**62, 2**63 - 1, True, False])
def test_short_attribute_without_a_change_is_decoded(value: str | int | bool) -> None:
    kind = {str: "string_value", int: "integer_value", bool: "boolean_value"}[type(value)]
    for name in ("a", "Favourite colour", "é"):
        decoded = AttributeCache().decode([encoded(name, **{kind: value})] * 2)
        assert decoded == [(name, value)] * 2
        assert [type(each) for _, each in decoded] == [type(value)] * 2
        assert type(decoded) is UnchangedAttributes


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        *(("a", "integer_value", number) for number in (-1, -(2**63))),
        *(("a", "string_value", text) for text in ("line\nbreak", "\x00", "x" * 300)),
        *((name, "string_value", "x") for name in ("a.b", "id", "phone", " a", "x" * 191, "FirstName", "")),
        ("x" * 122, "integer_value", 1),
        ("a", "number_value", 1.5),
        ("a", "string_value", "x" * 121),
    ],
)
def test_attribute_off_the_fast_path_is_decoded(name: str, field: str, value: DecodedValue) -> None:
    decoded = AttributeCache().decode([encoded("plan", string_value="team"), encoded(name, **{field: value})])
    assert decoded == [("plan", "team"), (name, value)]
    assert type(decoded) is list


def test_values_of_all_kinds_are_decoded() -> None:
    made = [
        encoded("time", time_value=Timestamp(seconds=7, nanos=5)),
        encoded("money", money_value=pb.Money(amount="1.5", currency_code="EUR")),
        encoded("link", link_value=pb.Link(url="https://a", label="b")),
        encoded("list", list_value=pb.StringList(values=["a", "b"])),
        encoded("tag", tag_value=pb.Tag()),
        pb.Attribute(name="unset").SerializeToString(),
        b"",
    ]
    values = [Time(7), Money("1.5", "EUR"), Link("https://a", "b"), ("a", "b"), Tag(), None, None]
    assert [value for _, value in AttributeCache().decode(made)] == values


def test_no_attributes_are_unchanged() -> None:
    assert type(AttributeCache().decode([])) is UnchangedAttributes


TEXT = encoded("plan", string_value="team")


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",
        b"\x0a\x05plan",
        TEXT[:-1],
        TEXT + b"\x18\x01",  # an unknown field
        b"\x18\x01" + TEXT,
        TEXT[6:] + TEXT[:6] + TEXT[:6],  # a name twice
        b"\x0a\x84\x00plan\x12\x02\x20\x01",  # a length in two bytes where one is enough
        b"\x0a\x04plan\x12\x82\x00\x20\x01",
        b"\x0a\x04plan\x12\x03\x20\x81\x00",
        b"\x0a\x04plan\x12\x03\x10\x81\x00",  # a number in two bytes where one is enough
        b"\x0a\x04plan\x12\x02\x10\x81",
        b"\x0a\x04plan\x12\x04\x10\x01\x81\x01",
        b"\x0a\x04plan\x12\x04\x10\x01\x10\x02",  # two values
        b"\x0a\x04plan\x12\x04\x0a\x03ab",
        b"\x0a\x04plan\x12\x05\x0a\x01a\x78\x01",
        b"\x0a\x01\xff\x12\x02\x20\x01",
        b"\x0a\x04plan\x12\x03\x0a\x01\xff",
        b"\x12\x04plan\x12\x02\x20\x01",
    ],
)
def test_other_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - what went wrong does not matter
        AttributeCache().decode([TEXT, data])


def test_keys_may_be_in_another_order() -> None:
    assert AttributeCache().decode([TEXT[6:] + TEXT[:6]]) == [("plan", "team")]


def decoded_by_protobuf(data: bytes) -> tuple[str, str | int | bool | None] | None:
    """Returns name and value; None: the bytes are not in the canonical encoding."""
    try:
        message = pb.Attribute.FromString(data)
    except DecodeError:
        return None
    kind = message.value.WhichOneof("kind")
    known = pb.Attribute.FromString(data)
    known.DiscardUnknownFields()
    if len(known.SerializeToString()) != len(data):
        return None
    return message.name, getattr(message.value, kind) if kind else None


SMALL = st.binary(max_size=6)


@given(
    SMALL
    | st.tuples(SMALL, SMALL).map(
        lambda parts: b"\x0a%c%b\x12%c%b" % (len(parts[0]), parts[0], len(parts[1]), parts[1])
    )
    | st.tuples(st.sampled_from((0x0A, 0x10, 0x20, 0x1A)), SMALL, st.binary(max_size=2)).map(
        lambda parts: b"\x0a\x01a\x12%c%c%b%b" % (len(parts[1]) + 1, parts[0], parts[1], parts[2])
    )
)
def test_any_bytes_are_decoded_as_protobuf_does_or_refused(data: bytes) -> None:
    expected = decoded_by_protobuf(data)
    cache = AttributeCache()
    for _ in range(10):
        try:
            ((name, value),) = cache.decode([data])
        except ValueError:
            assert expected is None
            continue
        assert expected is not None
        if type(value) in {str, int, bool}:
            assert (name, value, type(value)) == (*expected, type(expected[1]))


@pytest.mark.fills("ingest.attribute_cache.CACHED_ATTRIBUTES_MAX")
@pytest.mark.fills("ingest.attribute_cache.CACHED_ENCODED_NAMES_MAX")
def test_cache_is_emptied_when_it_is_full() -> None:
    cache = AttributeCache()
    sizes: set[int] = set()
    names: set[int] = set()
    for number in range(8 * CACHED_ATTRIBUTES_MAX + 80):
        assert cache.decode([encoded(f"a {number}", integer_value=number)]) == [(f"a {number}", number)]
        sizes.add(len(cache._attributes))
        names.add(len(cache._names))
    assert max(sizes) == CACHED_ATTRIBUTES_MAX
    assert max(names) == CACHED_ENCODED_NAMES_MAX
    assert len(cache._attributes) < 20
    assert cache.decode([TEXT]) == [("plan", "team")]
