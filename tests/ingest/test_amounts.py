"""Amounts are exact decimals."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.ingest.amounts import currency_of, decimal_of, smallest_units


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("19.99", "19.99"),
        ("-5", "-5"),
        ("0", "0"),
        ("007.50", "7.50"),
        ("-0.00", "-0.00"),
        ("9" * 34, "9" * 34),
        ("-0." + "1" * 33, "-0." + "1" * 33),
    ],
)
def test_decimal_of_keeps_all_digits(text: str, number: str) -> None:
    assert decimal_of(text) == Decimal(number)
    assert str(decimal_of(text)) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1e5", "1E5", "1,000", "+5", ".5", "5.", "--5", "1.2.3", "NaN", "Infinity", "$5", "٣", "1_000"),
        *("5\n", " 5", "0x10", "9" * 35, "0." + "1" * 34, "9" * 100_000),
    ],
)
def test_decimal_of_refuses_other_text(text: str) -> None:
    assert decimal_of(text) is None


@pytest.mark.parametrize(("code", "currency"), [("USD", "USD"), ("eur", "EUR"), ("jPy", "JPY"), ("XCG", "XCG")])
def test_currency_of_accepts_any_case(code: str, currency: str) -> None:
    assert currency_of(code) == currency


@pytest.mark.parametrize(
    "code", ["", "US", "USDT", "U$D", "123", "ÜSD", "USD\n", " USD", "ZZZ", "EUC", "RMB", "\u017fek"]
)
def test_currency_of_refuses_codes_that_iso_4217_does_not_list(code: str) -> None:
    assert currency_of(code) is None


@pytest.mark.parametrize(
    ("amount", "currency", "units", "lost"),
    [
        ("19.99", "USD", 1999, False),
        ("19.990", "USD", 1999, False),
        ("0.005", "USD", 0, True),
        ("0.015", "USD", 2, True),
        ("0.025", "USD", 2, True),
        ("-0.015", "EUR", -2, True),
        ("1000", "JPY", 1000, False),
        ("1000.5", "JPY", 1000, True),
        ("1001.5", "JPY", 1002, True),
        ("1.234", "KWD", 1234, False),
        ("1.2345", "BHD", 1234, True),
        ("1.2345", "CLF", 12345, False),
        ("5", "UYW", 50000, False),
        ("5", "XYZ", 500, False),
        ("9" * 34, "USD", int("9" * 34 + "00"), False),
    ],
)
def test_smallest_units_rounds_half_to_even_by_currency(amount: str, currency: str, units: int, lost: bool) -> None:
    assert smallest_units(Decimal(amount), currency) == (units, lost)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**30), max_value=10**30))
def test_smallest_units_keeps_every_cent(amount: Decimal) -> None:
    parsed = decimal_of(f"{amount:f}")
    assert parsed == amount
    assert smallest_units(amount, "USD") == (int(Fraction(amount) * 100), False)
