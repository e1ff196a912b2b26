"""Python values become the attributes that say the same."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd import attributes, link, money, tag, timestamp
from intercomd.v1.attribute_pb2 import AttributeValue, Link, Money, StringList, Tag
from intercomd.values import Value, attribute_value

NOON = Timestamp(seconds=1_767_268_800)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("pro", AttributeValue(string_value="pro")),
        ("", AttributeValue(string_value="")),
        (True, AttributeValue(boolean_value=True)),
        (False, AttributeValue(boolean_value=False)),
        (0, AttributeValue(integer_value=0)),
        (-(2**63), AttributeValue(integer_value=-(2**63))),
        (1.5, AttributeValue(number_value=1.5)),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), AttributeValue(time_value=NOON)),
        (datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))), AttributeValue(time_value=NOON)),
        (NOON, AttributeValue(time_value=NOON)),
        (["a", "b"], AttributeValue(list_value=StringList(values=["a", "b"]))),
        (("a",), AttributeValue(list_value=StringList(values=["a"]))),
        (StringList(values=["a"]), AttributeValue(list_value=StringList(values=["a"]))),
        (money("19.99", "USD"), AttributeValue(money_value=Money(amount="19.99", currency_code="USD"))),
        (link("https://example.com", "here"), AttributeValue(link_value=Link(url="https://example.com", label="here"))),
        (tag(), AttributeValue(tag_value=Tag())),
    ],
)
def test_each_value_type_has_its_attribute_type(value: Value, expected: AttributeValue) -> None:
    made = attribute_value(value)
    assert made == expected
    assert made.WhichOneof("kind") == expected.WhichOneof("kind")


def test_attributes_keep_the_order_in_which_they_are_given() -> None:
    assert [attribute.name for attribute in attributes({"plan": "pro", "age": 3})] == ["plan", "age"]


@pytest.mark.parametrize(
    ("value", "kind", "advice"),
    [
        (None, TypeError, r"removed_user_attributes, or use tag\(\)"),
        (Decimal("1.5"), TypeError, "money"),
        ({"a": 1}, TypeError, "use a str, number"),
        ([1], TypeError, ""),
        (2**63, ValueError, ""),
        ("\ud800", ValueError, ""),
        (datetime(2026, 1, 1), ValueError, "time zone"),  # noqa: DTZ001 - that is what is refused
    ],
)
def test_unsupported_value_is_refused_by_name(value: Value, kind: type[Exception], advice: str) -> None:
    with pytest.raises(kind, match=f"attribute 'plan': .*{advice}"):
        attributes({"plan": value})


@pytest.mark.parametrize(
    ("amount", "text"), [("19.99", "19.99"), (Decimal("1E+3"), "1000"), (5, "5"), ("-0.50", "-0.50")]
)
def test_amounts_of_money_are_exact_decimal_text(amount: Decimal | int | str, text: str) -> None:
    assert money(amount, "EUR") == Money(amount=text, currency_code="EUR")


@pytest.mark.parametrize(("amount", "kind"), [(19.99, TypeError), ("cheap", ValueError), ("NaN", ValueError)])
def test_inexact_amount_is_refused(amount: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        money(amount, "EUR")


def test_timestamp_is_the_moment_of_its_datetime() -> None:
    assert timestamp(datetime(2026, 1, 1, 12, microsecond=250_000, tzinfo=UTC)) == Timestamp(
        seconds=NOON.seconds, nanos=250_000_000
    )
