"""Converts attribute values to Intercom's types: Unix seconds, booleans and numbers.

Each function returns None for a value that it cannot convert. Both halves of the daemon use them, so that a custom date
attribute and `signed_up_at` take the same values.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from intercomd_daemon.envelope import Scalar

# google.protobuf.Timestamp: "from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z inclusive".
EARLIEST_TIME: Final = -62_135_596_800
LATEST_TIME: Final = 253_402_300_799
_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**63 - 1

# 10^11 seconds are the year 5138, 10^11 milliseconds are 1973, and so on: the magnitude of a number implies its unit.
# Nanoseconds end in the year 2255, before the extremes of a 64-bit integer, which stand for "never".
_UNITS: Final[tuple[tuple[int, int], ...]] = ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (9 * 10**18, 10**9))
_COUNT: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
# Leading zeros are refused: a text that has them is an identifier.
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
# Eight digits are a date of the years 1900 to 2199 rather than a second of the year 1970.
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|(?:19|20|21)[0-9]{6}")
_DATE_AND_TIME: Final = re.compile(rf"(?:{_DATE.pattern})" + r"[Tt ][0-9][0-9:.,]*(?:[Zz]|[+-][0-9:]+)?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}


def to_seconds(value: Scalar) -> int | None:
    """Converts a number, a text with a number, or ISO 8601 text to whole Unix seconds.

    Returns None for what is not a time between the years 1 and 9999.

    Numbers from 10^11 on count as milliseconds, from 10^14 as microseconds, from 10^17 as nanoseconds. Fractions of a
    second are cut. ISO 8601 text without an offset counts as UTC. Eight digits that form a date are that date.
    """
    if isinstance(value, str):
        text = value.strip()
        seconds = _iso_seconds(text)
        if seconds is None and _COUNT.fullmatch(text):
            seconds = _scaled(Decimal(text))
    else:
        seconds = None if value is None or isinstance(value, bool) else _scaled(value)
    return seconds if seconds is not None and EARLIEST_TIME <= seconds <= LATEST_TIME else None


def rfc3339(seconds: int) -> str:
    """Formats Unix seconds of the years 1 to 9999 as RFC 3339, in UTC."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def to_boolean(value: Scalar) -> bool | None:
    """Converts true, false, 1 and 0, also as text in any case with white space around it."""
    if isinstance(value, str):
        return _TRUTH.get(value.strip().lower())
    return bool(value) if value in (0, 1) else None


def to_number(value: Scalar) -> int | float | None:
    """Converts a text with a decimal number, with white space around it or not, where a number holds all its digits."""
    if isinstance(value, bool) or value is None:
        return None
    if not isinstance(value, str):
        return value if isinstance(value, float) or fits_integer(value) else None
    text = value.strip()
    if not _NUMBER.fullmatch(text):
        return None
    if "." not in text:
        return int(text) if fits_integer(Decimal(text)) else None
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else None


def fits_integer(number: float | Decimal) -> bool:
    """Whether a number is within the range of a signed integer of 64 bits."""
    return _INTEGER_MIN <= number <= _INTEGER_MAX


def _scaled(number: float | Decimal) -> int | None:
    for below, unit in _UNITS:
        if -below < number < below:
            return math.floor(number) // unit
    return None


def _iso_seconds(text: str) -> int | None:
    if not _DATE.fullmatch(text) and not _DATE_AND_TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
