"""Values are converted to what Intercom accepts, or reported."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.conversion import LATEST_TIME
from intercomd_daemon.envelope import Finding, Link, Money, Tag, Time
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import DecodedValue, UnknownValue
from intercomd_daemon.ingest.values import metadata_value, scalar, text

Brief = Callable[[list[Finding]], list[tuple[str, str]]]
LONG_URL = "https://example.com/" + "x" * 300

SAME_IN_BOTH = [
    ("pro", "pro", []),
    ("", "", []),
    ("x" * 255, "x" * 255, []),
    ("x" * 256, "x" * 255, [("VALUE_TRUNCATED", "a[0].value")]),
    ("😀" * 256, "😀" * 255, [("VALUE_TRUNCATED", "a[0].value")]),
    ("see " + LONG_URL, ("see " + LONG_URL)[:255], [("VALUE_TRUNCATED", "a[0].value")]),
    (LONG_URL, None, [("ATTRIBUTE_DROPPED", "a[0].value")]),
    ("a\tb\r\nc\x85d\u2028e\u00a0f", "a\tb\r\nc\x85d\u2028e\u00a0f", []),
    (7, 7, []),
    (-(2**63), -(2**63), []),
    (1.5, 1.5, []),
    (False, False, []),
    (Tag(), True, []),
    (Time(0), 0, []),
    (Time(LATEST_TIME), LATEST_TIME, []),
    (("a", "b", "c"), "a,b,c", []),
    ((), "", []),
    (("x" * 200, "y" * 100), "x" * 200 + "," + "y" * 54, [("VALUE_TRUNCATED", "a[0].value")]),
    (("",) * 1001, "," * 255, [("VALUE_TRUNCATED", "a[0].value")]),
    (UnknownValue.KIND, None, []),
]


@pytest.mark.parametrize(("value", "final", "adjustments"), SAME_IN_BOTH)
@pytest.mark.parametrize("convert", [scalar, metadata_value])
def test_plain_values_are_the_same_for_users_and_events(
    convert: Callable[..., object],
    value: DecodedValue,
    final: object,
    adjustments: list[tuple[str, str]],
    found: Findings,
    brief: Brief,
) -> None:
    result = convert(value, "a[0]", found)
    assert (result, type(result)) == (final, type(final))
    assert brief(found.adjustments) == adjustments
    assert not found.violations


INVALID = [
    (None, [("INVALID_ATTRIBUTE_VALUE", "a[0].value")]),
    (float("nan"), [("INVALID_ATTRIBUTE_VALUE", "a[0].value")]),
    (float("-inf"), [("INVALID_ATTRIBUTE_VALUE", "a[0].value")]),
    (Time(LATEST_TIME + 1), [("INVALID_ATTRIBUTE_VALUE", "a[0].value")]),
    (Time(-(2**63)), [("INVALID_ATTRIBUTE_VALUE", "a[0].value")]),
    (Money("1e3", "USD"), [("INVALID_AMOUNT", "a[0].value.money_value.amount")]),
    (Money("5", "ZZZ"), [("INVALID_AMOUNT", "a[0].value.money_value.currency_code")]),
    (Link("/pricing", "Pricing"), [("INVALID_ATTRIBUTE_VALUE", "a[0].value.link_value.url")]),
    (Link("", ""), [("INVALID_ATTRIBUTE_VALUE", "a[0].value.link_value.url")]),
    (float("inf"), [("INVALID_ATTRIBUTE_VALUE", "a[0].value")]),
    (Money("5", "EURO"), [("INVALID_AMOUNT", "a[0].value.money_value.currency_code")]),
    (
        Money("", ""),
        [
            ("INVALID_AMOUNT", "a[0].value.money_value.amount"),
            ("INVALID_AMOUNT", "a[0].value.money_value.currency_code"),
        ],
    ),
    (Link("example.com", ""), [("INVALID_ATTRIBUTE_VALUE", "a[0].value.link_value.url")]),
    (Link("javascript:alert(1)", "x"), [("INVALID_ATTRIBUTE_VALUE", "a[0].value.link_value.url")]),
    (Link("https://", "x"), [("INVALID_ATTRIBUTE_VALUE", "a[0].value.link_value.url")]),
    (Link("https://a b", "x"), [("INVALID_ATTRIBUTE_VALUE", "a[0].value.link_value.url")]),
]


@pytest.mark.parametrize(("value", "violations"), INVALID)
@pytest.mark.parametrize("convert", [scalar, metadata_value])
def test_invalid_value_rejects_the_envelope_if_the_connection_rejects(
    convert: Callable[..., object], value: DecodedValue, violations: list[tuple[str, str]], brief: Brief
) -> None:
    found = Findings(reject_values=True)
    assert convert(value, "a[0]", found) is None
    assert brief(found.violations) == violations
    assert not found.adjustments


@pytest.mark.parametrize(("value", "violations"), INVALID)
@pytest.mark.parametrize("convert", [scalar, metadata_value])
def test_invalid_value_drops_its_attribute_if_the_connection_trims(
    convert: Callable[..., object],
    value: DecodedValue,
    violations: list[tuple[str, str]],
    found: Findings,
    brief: Brief,
) -> None:
    assert convert(value, "a[0]", found) is None
    assert brief(found.adjustments) == [("ATTRIBUTE_DROPPED", field) for _, field in violations]
    assert not found.violations


@pytest.mark.parametrize(
    ("value", "final"),
    [
        ("a\0b", "ab"),
        ("\x1b[2J\x07\x7f", "[2J"),
        ("\x80\x9f", ""),
        ("\0" * 10 + "x" * 255, "x" * 255),
        (("a\0", "\x01b"), "a,b"),
    ],
)
@pytest.mark.parametrize("convert", [scalar, metadata_value])
def test_control_characters_are_removed_from_values(
    convert: Callable[..., object], value: DecodedValue, final: str, found: Findings, brief: Brief
) -> None:
    assert convert(value, "a[0]", found) == final
    assert brief(found.adjustments) == [("VALUE_CONVERTED", "a[0].value")]
    assert not found.violations


def test_control_characters_are_removed_from_the_label_of_a_link(found: Findings, brief: Brief) -> None:
    link = metadata_value(Link("https://e.com", "a\0b"), "a[0]", found)
    assert link == {"url": "https://e.com", "value": "ab"}
    assert brief(found.adjustments) == [("VALUE_CONVERTED", "a[0].value.link_value.label")]


@pytest.mark.parametrize(
    ("value", "final", "adjustments"),
    [
        (Money("19.99", "USD"), 19.99, []),
        (Money("5", "jpy"), 5.0, []),
        (Money("0.12345678901234567890", "USD"), 0.12345678901234568, [("VALUE_CONVERTED", "a[0].value")]),
        (Link("https://example.com", "home"), "https://example.com", []),
        (Link(LONG_URL, "home"), None, [("ATTRIBUTE_DROPPED", "a[0].value.link_value.url")]),
    ],
)
def test_user_attribute_money_is_a_number_and_a_link_its_address(
    value: DecodedValue, final: object, adjustments: list[tuple[str, str]], found: Findings, brief: Brief
) -> None:
    assert scalar(value, "a[0]", found) == final
    assert brief(found.adjustments) == adjustments


@pytest.mark.parametrize(
    ("value", "final", "adjustments"),
    [
        (Money("19.99", "usd"), {"amount": 1999, "currency": "USD"}, []),
        (Money("10.5", "JPY"), {"amount": 10, "currency": "JPY"}, [("VALUE_CONVERTED", "a[0].value")]),
        (Link("HTTPS://example.com/?a=b#c", "home"), {"url": "HTTPS://example.com/?a=b#c", "value": "home"}, []),
        (Link("http://e.com", ""), {"url": "http://e.com", "value": "http://e.com"}, []),
        (
            Link("http://e.com", "x" * 256),
            {"url": "http://e.com", "value": "x" * 255},
            [("VALUE_TRUNCATED", "a[0].value.link_value.label")],
        ),
        (Link(LONG_URL, "home"), None, [("ATTRIBUTE_DROPPED", "a[0].value.link_value.url")]),
    ],
)
def test_event_money_is_in_the_smallest_unit_and_a_link_has_its_label(
    value: DecodedValue, final: object, adjustments: list[tuple[str, str]], found: Findings, brief: Brief
) -> None:
    assert metadata_value(value, "a[0]", found) == final
    assert brief(found.adjustments) == adjustments


VALUES = st.one_of(
    st.none(),
    st.text(max_size=400),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.builds(Time, st.integers(-(2**63), 2**63 - 1)),
    st.builds(Money, st.decimals().map(str) | st.text(max_size=5), st.sampled_from(["USD", "JPY", "x"])),
    st.builds(Link, st.text(max_size=300).map("https://e.com/{}".format) | st.text(), st.text(max_size=300)),
    st.just(Tag()),
    st.lists(st.text(max_size=30)).map(tuple),
    st.just(UnknownValue.KIND),
)


@given(VALUES)
def test_every_value_is_within_intercoms_limits_or_reported(value: DecodedValue) -> None:
    for convert in (scalar, metadata_value):
        found = Findings()
        final = convert(value, "a[0]", found)
        if final is None:
            assert found.violations or found.adjustments or value is UnknownValue.KIND
        parts = list(final.values()) if isinstance(final, dict) else [final]
        assert all(part is None or isinstance(part, str | int | float | Decimal) for part in parts)
        assert all(len(part) <= 255 for part in parts if isinstance(part, str))


@given(st.text(max_size=600))
def test_cutting_twice_changes_nothing(value: str) -> None:
    found = Findings()
    once = text(value, "a", found)
    before = len(found.adjustments)
    assert text(once, "a", found) == once
    assert len(found.adjustments) == before
