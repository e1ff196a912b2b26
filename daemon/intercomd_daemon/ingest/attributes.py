"""Rules for the names and the number of attributes, the same for users and events, and a fast path for most of them."""

from collections.abc import Sequence
from typing import Any

from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Attribute, UnchangedAttributes
from intercomd_daemon.ingest.limits import ATTRIBUTE_NAME_CHARACTERS_MAX, VALUE_CHARACTERS_MAX
from intercomd_daemon.ingest.names import AttributeName, Meaning, is_normal


def unchanged_attributes(attributes: Sequence[Attribute], maximum: int) -> dict[str, Any] | None:
    """Fast path: returns the attributes as they are if none needs normalization, else None.

    Most attributes take it. It costs a fraction of the general path, which gives the same result for them.
    """
    if len(attributes) > maximum:
        return None
    if type(attributes) is UnchangedAttributes:
        pairs = dict(attributes)
        return pairs if len(pairs) == len(attributes) else None
    pairs = {}
    for name, value in attributes:
        if type(value) is str:
            # Control characters are not printable, and are removed on the general path.
            if len(value) > VALUE_CHARACTERS_MAX or not value.isprintable():
                return None
        elif type(value) is not int and type(value) is not bool:
            return None
        # Longer names are not looked up, so that the size of the cache is bounded.
        if len(name) > ATTRIBUTE_NAME_CHARACTERS_MAX or not is_normal(name):
            return None
        pairs[name] = value
    return pairs if len(pairs) == len(attributes) else None


def check_name(name: AttributeName, given: str, path: str, found: Findings) -> bool:
    """Reports a name that is not sent as given; returns False if the attribute is not sent at all."""
    if name.meaning is Meaning.EMPTY:
        message = f"invalid name {quoted(given)}: expected 1 to {ATTRIBUTE_NAME_CHARACTERS_MAX} characters after any $"
        found.reject("INVALID_ATTRIBUTE_NAME", path, message)
        return False
    if name.meaning is Meaning.IDENTITY:
        message = f"{quoted(given)} identifies the user: dropped the attribute; use Identity"
        found.adjust("ATTRIBUTE_DROPPED", path, message)
        return False
    if name.renamed:
        report_renamed(name.name, given, path, found)
    return True


def report_renamed(name: str, given: str, path: str, found: Findings) -> None:
    """Reports a name that was normalized."""
    message = (
        f"name {quoted(given)} became {quoted(name)}: Intercom accepts at most {ATTRIBUTE_NAME_CHARACTERS_MAX} "
        "characters, without . $ and other special ones, and _date at the end of times in events"
    )
    found.adjust("ATTRIBUTE_RENAMED", path, message)


def report_duplicate(name: str, path: str, found: Findings) -> None:
    """Reports an attribute that has the name of an earlier one."""
    message = f"duplicate attribute {quoted(name)}: kept the first, dropped this one; send each name once"
    found.adjust("ATTRIBUTE_DROPPED", path, message)


def report_excess(name: str, path: str, maximum: int, setting: str, found: Findings) -> None:
    """Reports an attribute that is dropped because the limit is reached."""
    message = f"more attributes than the limit of {maximum} ({setting}): dropped {quoted(name)}; send it earlier"
    found.adjust("ATTRIBUTE_DROPPED", path, message)


def reject_excess(path: str, excess: int, maximum: int, setting: str, found: Findings) -> None:
    """Rejects an envelope with too many attributes, where the connection does not trim."""
    message = (
        f"at least {maximum + excess} attributes, limit {maximum} ({setting}): at least {excess} too many, send fewer"
    )
    found.reject("TOO_MANY_ATTRIBUTES", path, message)
