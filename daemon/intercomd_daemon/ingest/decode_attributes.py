"""Decodes attributes to names and values of the domain, in the sender's order, up to a maximum."""

from collections.abc import Callable, Sequence

from google.protobuf.unknown_fields import UnknownFieldSet

from intercomd.v1.attribute_pb2 import Attribute as AttributeMessage
from intercomd.v1.attribute_pb2 import AttributeValue
from intercomd_daemon.envelope import Finding, Link, Money, Tag, Time
from intercomd_daemon.ingest.decoded import Attribute, DecodedValue, UnknownValue
from intercomd_daemon.ingest.limits import LIST_VALUES_MAX


def decode_attributes(
    messages: Sequence[AttributeMessage], read_max: int, path: str, findings: list[Finding]
) -> list[Attribute]:
    """Returns (name, value) of each of the first `read_max` attributes; adds a finding if there are more."""
    if not messages:
        return []
    if len(messages) > read_max:
        findings.append(excess_finding(len(messages) - read_max, read_max, path))
    # Iterating over a copy of a repeated field is faster than over the field.
    return [(message.name, value_of(message.value)) for message in messages[:read_max]]


def excess_finding(count: int, read_max: int, path: str) -> Finding:
    """Returns the finding about the `count` entries of a list that are beyond the limit and not decoded."""
    message = f"list of {read_max + count} entries, limit {read_max}: dropped the last {count}; send fewer"
    return Finding("ATTRIBUTE_DROPPED", path, message)


def value_of(message: AttributeValue) -> DecodedValue:
    """Returns the value."""
    # Most values are texts, whole numbers or true. Reading these fields first saves the slower `WhichOneof`.
    return message.string_value or message.integer_value or message.boolean_value or _value(message)


def _value(message: AttributeValue) -> DecodedValue:
    kind = message.WhichOneof("kind")
    if kind == "integer_value":
        return message.integer_value
    return _READERS[kind](message) if kind else _unset(message)


def _unset(message: AttributeValue) -> DecodedValue:
    return UnknownValue.KIND if len(UnknownFieldSet(message)) else None


def _time(message: AttributeValue) -> Time:
    return Time(message.time_value.seconds)


def _money(message: AttributeValue) -> Money:
    return Money(message.money_value.amount, message.money_value.currency_code)


def _link(message: AttributeValue) -> Link:
    return Link(message.link_value.url, message.link_value.label)


def _list(message: AttributeValue) -> tuple[str, ...]:
    # One value above the limit shows the later check that there were too many.
    return tuple(message.list_value.values[: LIST_VALUES_MAX + 1])


_READERS: dict[str, Callable[[AttributeValue], DecodedValue]] = {
    "string_value": lambda _message: "",
    "number_value": lambda message: message.number_value,
    "boolean_value": lambda message: message.boolean_value,
    "time_value": _time,
    "money_value": _money,
    "link_value": _link,
    "list_value": _list,
    "tag_value": lambda _message: Tag(),
}
