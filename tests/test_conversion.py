"""Values that are converted to Intercom's types, as tables."""

import pytest

from intercomd_daemon.conversion import LATEST_TIME, rfc3339, to_boolean, to_number, to_seconds
from intercomd_daemon.envelope import Scalar


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000_123, 1_700_000_000),
        (1_700_000_000_123_456, 1_700_000_000),
        (1_700_000_000_123_456_789, 1_700_000_000),
        (1_700_000_000.9, 1_700_000_000),
        (1.700000000123e12, 1_700_000_000),
        (0, 0),
        (-1, -1),
        (-0.5, -1),
        (-1_700_000_000_001, -1_700_000_001),
        (99_999_999_999, 99_999_999_999),
        (100_000_000_000, 100_000_000),
        ("1700000000", 1_700_000_000),
        (" 1700000000123 ", 1_700_000_000),
        ("1700000000.75", 1_700_000_000),
        ("-1700000000123", -1_700_000_001),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14t22:13:20.999z", 1_700_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("20231114T221320Z", 1_700_000_000),
        ("2023-11-14T22:13", 1_699_999_980),
        (" 2023-11-14 ", 1_699_920_000),
        ("20231114", 1_699_920_000),
        ("20231399", 20_231_399),
        ("10000101", 10_000_101),
        ("9999-12-31T23:59:59Z", LATEST_TIME),
    ],
)
def test_to_seconds_converts_every_common_form_of_a_time(value: Scalar, seconds: int) -> None:
    assert to_seconds(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        "soon",
        "1.5.2",
        "1e9",
        "\u00b2",
        "2023-13-01",
        "2023-02-30T00:00:00Z",
        "2023-11-14T25:00Z",
        "14/11/2023",
        "9999-12-31T23:59:59-01:00",
        "99999999999999999999999",
        "9" * 255,
        2**63 - 1,
        -(2**63),
        1e300,
        -99_000_000_000,
    ],
)
def test_to_seconds_refuses_what_is_not_a_time(value: Scalar) -> None:
    assert to_seconds(value) is None


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (True, True),
        (0, False),
        (1.0, True),
        ("True", True),
        (" fAlSe\n", False),
        ("1", True),
        ("0", False),
        ("yes", None),
        ("", None),
        (2, None),
        (None, None),
    ],
)
def test_to_boolean_converts_words_and_bits(value: Scalar, truth: bool | None) -> None:
    assert to_boolean(value) is truth


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (5.5, 5.5),
        (" 5 ", 5),
        ("-5.50", -5.5),
        ("0", 0),
        ("007", None),
        ("5.", None),
        ("+5", None),
        (True, None),
        (None, None),
        (-(2**63), -(2**63)),
        (str(-(2**63)), -(2**63)),
        (2**63 - 1, 2**63 - 1),
        (-(2**63) - 1, None),
        (str(-(2**63) - 1), None),
        (2**63, None),
        (str(2**63), None),
    ],
)
def test_to_number_converts_decimal_text(value: Scalar, number: float | None) -> None:
    converted = to_number(value)
    assert (converted, type(converted)) == (number, type(number))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_760_000_000, "2025-10-09T08:53:20Z"),
        (-62_135_596_800, "0001-01-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ],
)
def test_rfc3339_formats_every_second_of_the_years_1_to_9999(seconds: int, text: str) -> None:
    assert rfc3339(seconds) == text
