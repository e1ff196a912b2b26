"""Attributes are decoded in order, up to a limit."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import attribute_pb2 as pb
from intercomd_daemon.conversion import EARLIEST_TIME
from intercomd_daemon.envelope import Finding, Link, Money, Tag, Time
from intercomd_daemon.ingest.decode_attributes import decode_attributes
from intercomd_daemon.ingest.decoded import DecodedValue, UnknownValue
from intercomd_daemon.ingest.limits import LIST_VALUES_MAX

Value = pb.AttributeValue


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (Value(string_value="pro"), "pro"),
        (Value(string_value=""), ""),
        (Value(integer_value=-7), -7),
        (Value(integer_value=0), 0),
        (Value(number_value=1.5), 1.5),
        (Value(boolean_value=False), False),
        (Value(boolean_value=True), True),
        (Value(time_value=Timestamp(seconds=5, nanos=999)), Time(5)),
        (Value(time_value=Timestamp(seconds=EARLIEST_TIME)), Time(EARLIEST_TIME)),
        (Value(money_value=pb.Money(amount="1.5", currency_code="EUR")), Money("1.5", "EUR")),
        (Value(link_value=pb.Link(url="https://e.com", label="E")), Link("https://e.com", "E")),
        (Value(list_value=pb.StringList(values=["a", ""])), ("a", "")),
        (Value(tag_value=pb.Tag()), Tag()),
        (Value(), None),
        (Value.FromString(Duration(seconds=5).SerializeToString().replace(b"\x08", b"\x78")), UnknownValue.KIND),
    ],
)
def test_each_kind_becomes_its_domain_object(message: pb.AttributeValue, value: DecodedValue) -> None:
    decoded = decode_attributes([pb.Attribute(name="a", value=message)], 9, "p", [])
    assert decoded == [("a", value)]
    assert type(decoded[0][1]) is type(value)


def test_attribute_without_a_value_is_none() -> None:
    assert decode_attributes([pb.Attribute(name="a")], 9, "p", []) == [("a", None)]


def test_attributes_keep_their_order() -> None:
    named = [pb.Attribute(name=name) for name in "cab"]
    findings: list[Finding] = []
    assert [name for name, _ in decode_attributes(named, 3, "p", findings)] == ["c", "a", "b"]
    assert decode_attributes([], 3, "p", findings) == []
    assert findings == []


def test_attributes_beyond_the_limit_are_counted() -> None:
    findings: list[Finding] = []
    named = [pb.Attribute(name=name) for name in "abcde"]
    assert [name for name, _ in decode_attributes(named, 3, "p", findings)] == ["a", "b", "c"]
    assert [(finding.reason, finding.field) for finding in findings] == [("ATTRIBUTE_DROPPED", "p")]
    assert "list of 5 entries, limit 3: dropped the last 2" in findings[0].message


def test_list_value_is_read_to_one_above_its_limit() -> None:
    message = pb.Attribute(name="a", value=Value(list_value=pb.StringList(values=["x"] * 5000)))
    assert decode_attributes([message], 9, "p", []) == [("a", ("x",) * (LIST_VALUES_MAX + 1))]
