"""Converts Python values to attributes; `money`, `link` and `tag` make values that Python has no type for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1.attribute_pb2 import Attribute, AttributeValue, Link, Money, StringList, Tag

Value = str | bool | int | float | datetime | Timestamp | list[str] | tuple[str, ...] | Money | Link | StringList | Tag
"""The types of an attribute's value. An int must fit into 64 bits; a datetime must have a time zone."""


def attributes(values: Mapping[str, Value]) -> list[Attribute]:
    """Returns attributes in the order given. Put the most important first: a limit keeps the first ones.

    Raises:
        TypeError: an attribute cannot hold a value of this type; the message names the attribute.
        ValueError: a value is out of its range.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"attributes takes a mapping of names to values, not {type(values).__name__}")
    return [_attribute(name, value) for name, value in values.items()]


def _attribute(name: str, value: Value) -> Attribute:
    if not isinstance(name, str):
        raise TypeError(f"attribute {name!r}: a name is a str, not {type(name).__name__}; use {str(name)!r}")
    try:
        return Attribute(name=name, value=attribute_value(value))
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"attribute {name!r}: {error}") from error


def attribute_value(value: Value) -> AttributeValue:  # noqa: C901 - one case for each kind
    """Returns the value as a message. See `attributes`."""
    match value:
        case bool():  # before int, of which it is one
            kind = AttributeValue(boolean_value=value)
        case str():
            kind = AttributeValue(string_value=value)
        case int():
            kind = AttributeValue(integer_value=value)
        case float():
            kind = AttributeValue(number_value=value)
        case datetime():
            kind = AttributeValue(time_value=timestamp(value))
        case list() | tuple():
            kind = AttributeValue(list_value=_string_list(value))
        case Timestamp():
            kind = AttributeValue(time_value=value)
        case Money():
            kind = AttributeValue(money_value=value)
        case Link():
            kind = AttributeValue(link_value=value)
        case StringList():
            kind = AttributeValue(list_value=value)
        case Tag():
            kind = AttributeValue(tag_value=value)
        case _:
            raise TypeError(f"an attribute cannot hold a {type(value).__name__}: {_advice(value)}")
    return kind


def _string_list(values: Sequence[str]) -> StringList:
    for place, value in enumerate(values):
        if not isinstance(value, str):
            raise TypeError(f"item {place} of the list is {value!r}, a {type(value).__name__}: use str(item)")
    return StringList(values=values)


def _advice(value: object) -> str:
    if value is None:
        return "leave it out, name it in removed_user_attributes, or use tag()"
    if isinstance(value, Decimal):
        return "use money(amount, currency_code), float or str"
    return "use a str, number, bool, datetime, list of str, money(), link() or tag()"


def money(amount: Decimal | int | str, currency_code: str) -> Money:
    """Returns an exact amount in major units: `money("19.99", "USD")`, `money(Decimal("19.99"), "USD")`.

    Raises:
        TypeError: a binary float, which does not hold the exact amount.
        ValueError: the text is not a finite decimal number.
    """
    if isinstance(amount, float):
        raise TypeError("amount: a binary float is not an exact amount; use a str or a Decimal")
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int | str):
        raise TypeError(f"amount is {amount!r}, a {type(amount).__name__}: use a str or a Decimal")
    _check_text("currency_code", currency_code)
    try:
        exact = Decimal(amount)
    except ArithmeticError as error:
        raise ValueError(f"invalid amount {amount!r}: use decimal text such as '19.99'") from error
    if not exact.is_finite():
        raise ValueError(f"invalid amount {amount!r}: use a finite number")
    return Money(amount=f"{exact:f}", currency_code=currency_code)


def link(url: str, label: str = "") -> Link:
    """Returns a link; `label` is the text that a reader sees."""
    _check_text("url", url)
    _check_text("label", label)
    return Link(url=url, label=label)


def tag() -> Tag:
    """Returns the value of an attribute that has no value of its own: "the person has this"."""
    return Tag()


def timestamp(moment: datetime) -> Timestamp:
    """Returns a time as protobuf's Timestamp.

    Raises:
        TypeError: the argument is not a datetime.
        ValueError: the datetime has no time zone, so that its moment is unknown.
    """
    if not isinstance(moment, datetime):
        raise TypeError(
            f"timestamp takes a datetime, not {type(moment).__name__} {moment!r}: "
            "use datetime.fromtimestamp(seconds, UTC) for seconds since 1970"
        )
    if moment.utcoffset() is None:
        raise ValueError(
            "a datetime without a time zone has no moment: use datetime.now(UTC), or moment.astimezone() for local time"
        )
    result = Timestamp()
    result.FromDatetime(moment)
    return result


def _check_text(field: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{field} is {value!r}, a {type(value).__name__}: use a str")
