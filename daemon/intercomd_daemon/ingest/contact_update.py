"""Builds the contact update of an envelope from its user attributes: the first of each name, up to the limit.

Set attributes come before removed ones. An attribute that is both set and removed is set. Attributes that address
Intercom's own contact fields are converted to the types of these fields.
"""

from collections.abc import Callable

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.conversion import to_boolean, to_seconds
from intercomd_daemon.envelope import Scalar, Time
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.attributes import (
    check_name,
    reject_excess,
    report_duplicate,
    report_excess,
    unchanged_attributes,
)
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Attribute, DecodedValue
from intercomd_daemon.ingest.names import AttributeName, Meaning, attribute_name
from intercomd_daemon.ingest.values import ABSOLUTE_LINK, scalar

_SETTING = "limits.user_attributes_max"
_OWNER_ID_MAX = 2**63 - 1


class Update(msgspec.Struct, frozen=True, gc=False):
    """A contact update: values by Intercom's names, in the sender's order, removals last as None."""

    values: dict[str, Scalar]
    times: tuple[str, ...] = ()
    """The custom attributes that were sent as times; their values are Unix seconds."""


def update_of(attributes: list[Attribute], removed: list[str], rules: ConnectionSettings, found: Findings) -> Update:
    """Returns the contact update of an envelope; adjustments and violations go to `found`."""
    unchanged = None if removed else unchanged_attributes(attributes, rules.limits.user_attributes_max)
    if unchanged is not None:
        return Update(unchanged)
    builder = _Builder(rules, found)
    for index, (given, value) in enumerate(attributes):
        name = attribute_name(given)
        normal = _normalize(name, given, value, f"user_attributes[{index}]", found)
        if normal is not None:
            builder.place(name, given, normal, index, is_time=isinstance(value, Time))
    for index, given in enumerate(removed):
        builder.remove(given, f"removed_user_attributes[{index}]")
    builder.close()
    return Update(builder.update, tuple(builder.times))


def _normalize(name: AttributeName, given: str, value: DecodedValue, path: str, found: Findings) -> Scalar:
    if not check_name(name, given, path, found):
        return None
    normal = scalar(value, path, found)
    if normal is None or name.meaning is Meaning.CUSTOM:
        return normal
    return field_value(name.name, normal, path, found)


class _Builder:
    """Builds the update, attribute by attribute."""

    def __init__(self, rules: ConnectionSettings, found: Findings) -> None:
        self.update: dict[str, Scalar] = {}
        self.times: list[str] = []
        self._rules = rules
        self._found = found
        self._excess = 0
        self._mobile = -1
        """The index of the attribute `Mobile` that set the phone; -1 if none did."""

    def place(self, name: AttributeName, given: str, normal: Scalar, index: int, *, is_time: bool) -> None:
        """Adds an attribute, unless its name is taken or the limit is reached."""
        if name.name not in self.update:
            if self._has_room(given, f"user_attributes[{index}]"):
                self.update[name.name] = normal
                if is_time and name.meaning is Meaning.CUSTOM:
                    self.times.append(name.name)
                self._mobile = index if name.meaning is Meaning.MOBILE else self._mobile
        elif name.name == "phone" and name.meaning is Meaning.CONTACT_FIELD and self._mobile >= 0:
            # A plain `phone` replaces the number of `$mobile`.
            self.update[name.name] = normal
            report_duplicate(name.name, f"user_attributes[{self._mobile}]", self._found)
            self._mobile = -1
        else:
            report_duplicate(given, f"user_attributes[{index}]", self._found)

    def remove(self, given: str, path: str) -> None:
        """Adds the removal of an attribute, unless it is set or removed already."""
        name = attribute_name(given)
        if not check_name(name, given, path, self._found):
            return
        if name.name not in self.update:
            if self._has_room(given, path):
                self.update[name.name] = None
        elif self.update[name.name] is not None:
            message = f"{quoted(given)} is both set and removed: dropped the removal"
            self._found.adjust("ATTRIBUTE_DROPPED", path, message)

    def _has_room(self, name: str, path: str) -> bool:
        maximum = self._rules.limits.user_attributes_max
        if len(self.update) < maximum:
            return True
        self._excess += 1
        if self._rules.limits.on_excess == "trim":
            report_excess(name, path, maximum, _SETTING, self._found)
        return False

    def close(self) -> None:
        """Rejects the excess, once all attributes have been counted."""
        if self._excess and self._rules.limits.on_excess == "reject":
            reject_excess(
                "user_attributes", self._excess, self._rules.limits.user_attributes_max, _SETTING, self._found
            )


def field_value(name: str, value: Scalar, path: str, found: Findings) -> Scalar:
    """Returns the value in the type of the contact field; None, with a finding, if it cannot be converted.

    "Writable: role, external_id, email, phone, name, avatar (URL), signed_up_at, last_seen_at (Unix seconds), owner_id,
    unsubscribed_from_emails". Intercom refuses the whole update for one invalid value, so such a value is dropped.
    """
    convert, expected = _FIELDS.get(name, _TEXT)
    converted = convert(value)
    if converted is None:
        message = f"invalid {name.lstrip('$')} {quoted(str(value))}: expected {expected}; dropped it"
        found.adjust("ATTRIBUTE_DROPPED", f"{path}.value", message)
    elif converted != value or type(converted) is not type(value):
        message = (
            f"Intercom's field {name.lstrip('$')} is {expected}: {quoted(str(value))} became {quoted(str(converted))}"
        )
        found.adjust("VALUE_CONVERTED", f"{path}.value", message)
    return converted


def _text(value: Scalar) -> str | None:
    if isinstance(value, str):
        return value
    return None if isinstance(value, bool) else str(value)


def _address(value: Scalar) -> str | None:
    return value if isinstance(value, str) and ABSOLUTE_LINK.fullmatch(value) else None


def _whole(value: Scalar) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        bare = value.strip()
        return int(bare) if bare.isascii() and bare.isdigit() and len(bare) <= len(str(_OWNER_ID_MAX)) else None
    return value if isinstance(value, int) else int(value or 0)


def _owner(value: Scalar) -> int | None:
    whole = _whole(value)
    if whole is None or (whole != value and not isinstance(value, str)):
        return None
    return whole if 0 <= whole <= _OWNER_ID_MAX else None


_TEXT: tuple[Callable[[Scalar], Scalar], str] = (_text, "text")
_FIELDS: dict[str, tuple[Callable[[Scalar], Scalar], str]] = {
    "avatar": (_address, "an absolute http or https address"),
    "signed_up_at": (to_seconds, "a time in Unix seconds"),
    "last_seen_at": (to_seconds, "a time in Unix seconds"),
    "owner_id": (_owner, "the id of a teammate, a whole number"),
    "unsubscribed_from_emails": (to_boolean, "true or false"),
}
