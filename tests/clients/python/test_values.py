"""Python values are converted to attributes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd import AttributeValue as CheckedValue
from intercomd import Envelope, Identity, Product, attributes, link, money, tag, timestamp
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
        ([1], TypeError, "item 0 of the list"),
        (["a", None], TypeError, "item 1 of the list"),
        (("a", 2.5), TypeError, r"use str\(item\)"),
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


NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - that is what is refused


def assign(message: object, field: str) -> None:
    setattr(message, field, NAIVE)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: attributes({1: "x"}), TypeError, "attribute 1: a name is a str"),
        (lambda: attributes([("a", 1)]), TypeError, "mapping"),
        (lambda: timestamp(1_700_000_000), TypeError, "datetime.fromtimestamp"),
        (lambda: timestamp("2026-01-01"), TypeError, "takes a datetime"),
        (lambda: link(7), TypeError, "url is 7"),
        (lambda: money("1", 840), TypeError, "currency_code is 840"),
        (lambda: money(True, "USD"), TypeError, "amount is True"),
        (lambda: Envelope(event_time=NAIVE), ValueError, "Envelope.event_time: .* no time zone"),
        (lambda: CheckedValue(time_value=NAIVE), ValueError, "AttributeValue.time_value: .* no time zone"),
        (lambda: assign(Envelope(), "event_time"), ValueError, "Envelope.event_time: .* no time zone"),
        (lambda: assign(CheckedValue(), "time_value"), ValueError, "AttributeValue.time_value: .* no time zone"),
        (
            lambda: Envelope(user_attributes=[{"name": "a"}, {"name": "b", "value": {"time_value": NAIVE}}]),
            ValueError,
            r"Envelope.user_attributes\[1\].value.time_value: .* no time zone",
        ),
        (lambda: Identity(customer_id=42), TypeError, "Identity.customer_id: 42, a int"),
        (lambda: Identity(email=b"\xff"), ValueError, "Identity.email"),
        (lambda: Envelope(user_attributes=[1]), TypeError, "Envelope.user_attributes"),
        (lambda: Product(position="first"), TypeError, "Product.position"),
        (lambda: Product(nothing=1), ValueError, "nothing"),
    ],
)
def test_wrong_type_or_a_naive_time_is_refused_by_the_fields_name(
    make: Callable[[], object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_time_with_a_zone_is_accepted() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assigned = Envelope()
    assigned.event_time = noon
    nested = Envelope(user_attributes=[{"name": "a", "value": {"time_value": noon}}])
    assert Envelope(event_time=noon).event_time == assigned.event_time == NOON
    assert nested.user_attributes[0].value.time_value == NOON
