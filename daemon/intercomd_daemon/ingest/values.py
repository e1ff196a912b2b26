"""Converts attribute values to what Intercom accepts, for user attributes and for the metadata of events.

Long texts are cut. Links are dropped rather than cut, since a cut link does not work. For an invalid value,
`Findings.refuse_value` drops the attribute, or rejects the envelope under `on_excess = "reject"`.
"""

import math
import re
from decimal import Decimal
from typing import Final

from intercomd_daemon.conversion import EARLIEST_TIME, LATEST_TIME
from intercomd_daemon.envelope import Link, Money, Scalar, Tag, Time
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.amounts import (
    currency_of,
    decimal_of,
    invalid_amount,
    smallest_units,
    unknown_currency,
)
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import DecodedValue, UnknownValue
from intercomd_daemon.ingest.limits import LIST_VALUES_MAX, VALUE_CHARACTERS_MAX

Json = Scalar | Decimal | dict[str, Scalar]
"""A value in the metadata of an event."""

ABSOLUTE_LINK: Final = re.compile(r"https?://[^\s/?#\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*", re.IGNORECASE)
"""Intercom: "a link is http or https" (I28); it has a host and no white space."""
CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
"""The control characters of Unicode without tab and line breaks (LF, CR, NEL)."""


def scalar(value: DecodedValue, path: str, found: Findings) -> Scalar:
    """Returns the value of a user attribute; None if it was refused, with a finding."""
    if isinstance(value, Money):
        return _number(value, path, found)
    if isinstance(value, Link):
        return _address(value, path, found)
    return _plain(value, path, found)


def metadata_value(value: DecodedValue, path: str, found: Findings) -> Json:
    """Returns a value for an event's metadata; None if it was refused, with a finding."""
    if isinstance(value, Money):
        return _money(value, path, found)
    if isinstance(value, Link):
        return _rich_link(value, path, found)
    return _plain(value, path, found)


def text(value: str, path: str, found: Findings) -> str:
    """Returns the text without control characters and cut to 255 code points."""
    # Printable text has no control characters; most text is, and the check costs far less than a search.
    if not value.isprintable():
        value, count = CONTROL_CHARACTER.subn("", value)
        if count:
            message = f"the text had {count} control characters, which Intercom does not accept: removed them"
            found.adjust("VALUE_CONVERTED", path, message)
    if len(value) <= VALUE_CHARACTERS_MAX:
        return value
    message = f"text of {len(value)} characters, limit {VALUE_CHARACTERS_MAX}: cut the rest"
    found.adjust("VALUE_TRUNCATED", path, message)
    return value[:VALUE_CHARACTERS_MAX]


def _plain(
    value: str | float | Time | Tag | tuple[str, ...] | UnknownValue | None, path: str, found: Findings
) -> Scalar:
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
        message = "the attribute has no value: set one, or leave the attribute out"
        found.refuse_value("INVALID_ATTRIBUTE_VALUE", f"{path}.value", message)
        return None
    # Decoding has reported the kinds of values that this release does not know.
    return None if isinstance(value, UnknownValue) else _joined(value, f"{path}.value", found)


def _finite(value: float, path: str, found: Findings) -> float | None:
    if math.isfinite(value):
        return value
    message = f"invalid number {value}: expected a finite number"
    found.refuse_value("INVALID_ATTRIBUTE_VALUE", path, message)
    return None


def _text_or_link(value: str, path: str, found: Findings) -> str | None:
    if len(value) > VALUE_CHARACTERS_MAX and ABSOLUTE_LINK.fullmatch(value):
        _report_long_link(value, path, found)
        return None
    return text(value, path, found)


def _report_long_link(url: str, path: str, found: Findings) -> None:
    message = f"link of {len(url)} characters, limit {VALUE_CHARACTERS_MAX}: dropped {quoted(url)}; send a shorter one"
    found.adjust("ATTRIBUTE_DROPPED", path, message)


def _seconds(value: Time, path: str, found: Findings) -> int | None:
    if EARLIEST_TIME <= value.seconds <= LATEST_TIME:
        return value.seconds
    message = f"invalid time {value.seconds}: expected Unix seconds, not milliseconds, within the years 1 to 9999"
    found.refuse_value("INVALID_ATTRIBUTE_VALUE", path, message)
    return None


def _joined(value: tuple[str, ...], path: str, found: Findings) -> str:
    joined = ",".join(value[:LIST_VALUES_MAX])
    if len(value) > LIST_VALUES_MAX:
        # Decoding reads one value more than the limit, so the number of values is not known here.
        message = f"list of more than {LIST_VALUES_MAX} values, limit {LIST_VALUES_MAX}: dropped the rest"
        found.adjust("VALUE_TRUNCATED", path, message)
        joined = joined[:VALUE_CHARACTERS_MAX]
    return text(joined, path, found)


def _amount(value: Money, path: str, found: Findings) -> tuple[Decimal, str] | None:
    amount, currency = decimal_of(value.amount), currency_of(value.currency_code)
    if amount is None:
        found.refuse_value("INVALID_AMOUNT", f"{path}.value.money_value.amount", invalid_amount(value.amount))
    if currency is None:
        message = unknown_currency(value.currency_code)
        found.refuse_value("INVALID_AMOUNT", f"{path}.value.money_value.currency_code", message)
    return None if amount is None or currency is None else (amount, currency)


def _money(value: Money, path: str, found: Findings) -> dict[str, Scalar] | None:
    parsed = _amount(value, path, found)
    if parsed is None:
        return None
    units, lost = smallest_units(*parsed)
    if lost:
        message = f"amount {quoted(value.amount)} is finer than the smallest unit of {parsed[1]}: rounded half to even"
        found.adjust("VALUE_CONVERTED", f"{path}.value", message)
    return {"amount": units, "currency": parsed[1]}


def _number(value: Money, path: str, found: Findings) -> float | None:
    parsed = _amount(value, path, found)
    if parsed is None:
        return None
    number = float(parsed[0])
    if Decimal(repr(number)) != parsed[0]:
        message = f"amount {quoted(value.amount)} has more digits than a binary number of about 16: became {number}"
        found.adjust("VALUE_CONVERTED", f"{path}.value", message)
    return number


def _address(value: Link, path: str, found: Findings) -> str | None:
    if not ABSOLUTE_LINK.fullmatch(value.url):
        message = f"invalid link {quoted(value.url)}: expected an absolute http or https address"
        found.refuse_value("INVALID_ATTRIBUTE_VALUE", f"{path}.value.link_value.url", message)
        return None
    if len(value.url) > VALUE_CHARACTERS_MAX:
        _report_long_link(value.url, f"{path}.value.link_value.url", found)
        return None
    return value.url


def _rich_link(value: Link, path: str, found: Findings) -> dict[str, Scalar] | None:
    url = _address(value, path, found)
    if url is None:
        return None
    return {"url": url, "value": text(value.label or url, f"{path}.value.link_value.label", found)}
