"""Values of attributes as Intercom takes them, in a user's attributes and in an event's metadata.

What is too long is cut, links are left out rather than cut, what means nothing is rejected. Names are unknown here,
but for the path that a finding points to.
"""

import math
import re
from decimal import Decimal
from typing import Final

from intercomd_daemon.conversion import EARLIEST_TIME, LATEST_TIME
from intercomd_daemon.envelope import Link, Money, Scalar, Tag, Time
from intercomd_daemon.ingest.amounts import (
    AMOUNT_WANTED,
    CURRENCY_WANTED,
    currency_of,
    decimal_of,
    smallest_units,
)
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import SentValue, Unread
from intercomd_daemon.ingest.limits import LIST_VALUES_MAX, VALUE_CHARACTERS_MAX

Json = Scalar | Decimal | dict[str, Scalar]
"""What the metadata of an event may hold."""

ABSOLUTE_LINK: Final = re.compile(r"https?://[^\s/?#\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*", re.IGNORECASE)
"""Intercom: "link = http(s) string"; it has a host, and no white space."""


def scalar(value: SentValue, path: str, found: Findings) -> Scalar:
    """A user attribute's value; None where there is nothing to send, which is among the findings then."""
    if isinstance(value, Money):
        return _number(value, path, found)
    if isinstance(value, Link):
        return _address(value, path, found)
    return _plain(value, path, found)


def metadata_value(value: SentValue, path: str, found: Findings) -> Json:
    """A value in an event's metadata; None where there is nothing to send, which is among the findings then."""
    if isinstance(value, Money):
        return _money(value, path, found)
    if isinstance(value, Link):
        return _rich_link(value, path, found)
    return _plain(value, path, found)


def text(value: str, path: str, found: Findings) -> str:
    """Text of at most 255 code points: the rest is cut."""
    if len(value) <= VALUE_CHARACTERS_MAX:
        return value
    found.adjust("VALUE_TRUNCATED", path, f"a text has at most {VALUE_CHARACTERS_MAX} characters: the rest was cut")
    return value[:VALUE_CHARACTERS_MAX]


def _plain(value: str | float | Time | Tag | tuple[str, ...] | Unread | None, path: str, found: Findings) -> Scalar:
    if isinstance(value, str):
        return _text_or_link(value, f"{path}.value", found)
    if isinstance(value, float):
        return _finite(value, f"{path}.value", found)
    if isinstance(value, int):
        return value
    if isinstance(value, Time):
        return _seconds(value, f"{path}.value", found)
    if isinstance(value, Tag):
        return True
    if value is None:
        found.reject("INVALID_ATTRIBUTE_VALUE", f"{path}.value", "no value is set: set one, or leave the attribute out")
        return None
    # What decoding found of an unread one is said already.
    return None if isinstance(value, Unread) else _joined(value, f"{path}.value", found)


def _finite(value: float, path: str, found: Findings) -> float | None:
    if math.isfinite(value):
        return value
    message = "NaN and the infinities are no values: send a number, or leave the attribute out"
    found.reject("INVALID_ATTRIBUTE_VALUE", path, message)
    return None


def _text_or_link(value: str, path: str, found: Findings) -> str | None:
    if len(value) > VALUE_CHARACTERS_MAX and ABSOLUTE_LINK.fullmatch(value):
        _say_link_too_long(path, found)
        return None
    return text(value, path, found)


def _say_link_too_long(path: str, found: Findings) -> None:
    message = f"a link has at most {VALUE_CHARACTERS_MAX} characters, and a part of one leads nowhere: it was left out"
    found.adjust("ATTRIBUTE_DROPPED", path, message)


def _seconds(value: Time, path: str, found: Findings) -> int | None:
    if EARLIEST_TIME <= value.seconds <= LATEST_TIME:
        return value.seconds
    message = "a time lies between the years 1 and 9999: send seconds, not milliseconds"
    found.reject("INVALID_ATTRIBUTE_VALUE", path, message)
    return None


def _joined(value: tuple[str, ...], path: str, found: Findings) -> str:
    joined = ",".join(value[:LIST_VALUES_MAX])
    if len(value) <= LIST_VALUES_MAX and len(joined) <= VALUE_CHARACTERS_MAX:
        return joined
    message = (
        f"a list has at most {LIST_VALUES_MAX} values, and {VALUE_CHARACTERS_MAX} characters with commas between "
        "them: the rest was cut"
    )
    found.adjust("VALUE_TRUNCATED", path, message)
    return joined[:VALUE_CHARACTERS_MAX]


def _amount(value: Money, path: str, found: Findings) -> tuple[Decimal, str] | None:
    amount, currency = decimal_of(value.amount), currency_of(value.currency_code)
    if amount is None:
        found.reject("INVALID_AMOUNT", f"{path}.value.money_value.amount", AMOUNT_WANTED)
    if currency is None:
        found.reject("INVALID_AMOUNT", f"{path}.value.money_value.currency_code", CURRENCY_WANTED)
    return None if amount is None or currency is None else (amount, currency)


def _money(value: Money, path: str, found: Findings) -> dict[str, Scalar] | None:
    parsed = _amount(value, path, found)
    if parsed is None:
        return None
    units, lost = smallest_units(*parsed)
    if lost:
        message = f"{parsed[1]} has no smaller unit: the amount was rounded, half to even"
        found.adjust("VALUE_CONVERTED", f"{path}.value", message)
    return {"amount": units, "currency": parsed[1]}


def _number(value: Money, path: str, found: Findings) -> float | None:
    parsed = _amount(value, path, found)
    if parsed is None:
        return None
    number = float(parsed[0])
    if Decimal(repr(number)) != parsed[0]:
        message = "a user attribute is a binary number of about 16 digits: the amount was rounded"
        found.adjust("VALUE_CONVERTED", f"{path}.value", message)
    return number


def _address(value: Link, path: str, found: Findings) -> str | None:
    if not ABSOLUTE_LINK.fullmatch(value.url):
        message = "an absolute http or https address is wanted"
        found.reject("INVALID_ATTRIBUTE_VALUE", f"{path}.value.link_value.url", message)
        return None
    if len(value.url) > VALUE_CHARACTERS_MAX:
        _say_link_too_long(f"{path}.value.link_value.url", found)
        return None
    return value.url


def _rich_link(value: Link, path: str, found: Findings) -> dict[str, Scalar] | None:
    url = _address(value, path, found)
    if url is None:
        return None
    return {"url": url, "value": text(value.label or url, f"{path}.value.link_value.label", found)}
