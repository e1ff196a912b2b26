"""Attributes from protobuf: names and values as nouns, in the sender's order."""

from collections.abc import Callable, Sequence

from google.protobuf.unknown_fields import UnknownFieldSet

from intercomd.v1.attribute_pb2 import Attribute as AttributeMessage
from intercomd.v1.attribute_pb2 import AttributeValue
from intercomd_daemon.envelope import Link, Money, Tag, Time
from intercomd_daemon.ingest.sent import Attribute, SentValue, Unread


def decode_attributes(messages: Sequence[AttributeMessage]) -> list[Attribute]:
    """(name, value) of each."""
    # A repeated field is quickly asked whether it is empty, and slowly iterated over; its copy is not.
    return [(message.name, _value(message.value)) for message in messages[:]] if messages else []


def _value(message: AttributeValue) -> SentValue:
    # Most values are text: asking for it first saves those the question which kind it is.
    text = message.string_value
    if text:
        return text
    kind = message.WhichOneof("kind")
    if kind is None:
        return _unset(message)
    return _READERS[kind](message)


def _unset(message: AttributeValue) -> SentValue:
    return Unread.KIND if len(UnknownFieldSet(message)) else None


def _time(message: AttributeValue) -> Time:
    return Time(message.time_value.seconds)


def _money(message: AttributeValue) -> Money:
    return Money(message.money_value.amount, message.money_value.currency_code)


def _link(message: AttributeValue) -> Link:
    return Link(message.link_value.url, message.link_value.label)


def _list(message: AttributeValue) -> tuple[str, ...]:
    return tuple(message.list_value.values)


_READERS: dict[str, Callable[[AttributeValue], SentValue]] = {
    "string_value": lambda message: message.string_value,
    "integer_value": lambda message: message.integer_value,
    "number_value": lambda message: message.number_value,
    "boolean_value": lambda message: message.boolean_value,
    "time_value": _time,
    "money_value": _money,
    "link_value": _link,
    "list_value": _list,
    "tag_value": lambda _message: Tag(),
}
