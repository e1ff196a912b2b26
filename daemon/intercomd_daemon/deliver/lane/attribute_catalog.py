"""The custom attributes of a workspace: which exist, which may be made, and how a value must be turned to fit.

"From 2.0 they must exist before they are written", or "the whole request is refused".
"""

from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from itertools import islice, starmap
from typing import Any

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.conversion import INTEGER_MAX, to_boolean, to_number, to_seconds
from intercomd_daemon.deliver.lane.contact import digest_of
from intercomd_daemon.envelope import Scalar

FRESH_SECONDS = 600.0
# An answer that contradicts the list, or a value that is not among its options, makes the daemon read it again, unless
# it is younger than this.
TRUSTED_SECONDS = 60.0
REFUSED_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
# A workspace holds "at most 250"; more refused names, or values, than this are forgotten, oldest first.
REFUSED_MAX = 1000
# A whole number of seconds between 2000 and 2100 in an attribute named `…_at` is a time.
TIME_NAME_ENDING = "_at"
PLAUSIBLE_FROM = 946_684_800
PLAUSIBLE_UNTIL = 4_102_444_800
# Of those that there are; what is beyond counts as missing.
KNOWN_MAX = 10_000


class Attribute(msgspec.Struct, frozen=True):
    """One entry of `GET /data_attributes`."""

    name: str
    data_type: str = "string"
    api_writable: bool = True
    archived: bool = False
    custom: bool = True
    options: Any = None
    """Of a list attribute: "List of predefined options for attribute value", texts. Creations write {"value": text}."""

    @property
    def choices(self) -> frozenset[str]:
        """The only values that it takes; empty if it takes any."""
        listed = self.options if isinstance(self.options, list) else []
        values = [option.get("value") if isinstance(option, dict) else option for option in listed]
        return frozenset(value for value in values if isinstance(value, str))


class AttributeList(msgspec.Struct, frozen=True):
    """The answer of `GET /data_attributes`."""

    data: list[Attribute] = []


class Fit(Enum):
    """What to do with an attribute's value."""

    SEND = auto()
    CREATE = auto()
    LEAVE_OUT = auto()


class Fitted(msgspec.Struct, frozen=True):
    """The decision, with what it needs."""

    fit: Fit
    value: Scalar = None
    data_type: str = ""
    """For CREATE."""
    why: str = ""
    """For LEAVE_OUT: the limit and the remedy. For SEND: what was done to the value; empty if nothing was."""


class AttributeCatalog:
    """What is known of the custom attributes of one workspace."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._known: dict[str, Attribute] = {}
        self._readable = True
        self._read_at = -FRESH_SECONDS
        self._refused: dict[str, tuple[float, str]] = {}
        self._refused_values: dict[tuple[str, int], float] = {}
        self._doubted: set[str] = set()
        self._created: deque[float] = deque()

    def stale(self, now: float) -> bool:
        """Whether the list must be fetched before the next update with custom attributes."""
        return not 0.0 <= now - self._read_at < FRESH_SECONDS

    def absent(self, name: str, now: float) -> bool:
        """Whether the attribute is neither known nor refused: it may be created."""
        return name not in self._known and not self._refusal(name, now)

    def read(self, attributes: Iterable[Attribute], now: float) -> None:
        """Takes the fetched list."""
        custom = {attribute.name: attribute for attribute in attributes if attribute.custom}
        before, self._known = self._known, dict(islice(custom.items(), KNOWN_MAX))
        for name, digest in list(self._refused_values):
            if before.get(name) != self._known.get(name):
                # The attribute has changed, so it may take the value now.
                del self._refused_values[name, digest]
        self._readable = True
        self._read_at = now
        self._doubted.clear()

    def unreadable(self, now: float) -> None:
        """The token may not read the list: values go as they are, and 400s tell what is missing."""
        self._readable = False
        self._read_at = now

    def created(self, name: str, data_type: str, now: float) -> None:
        """An attribute was made."""
        self._created.append(now)
        while len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[name] = Attribute(name, data_type)

    def refused(self, name: str, why: str, now: float) -> None:
        """Intercom does not take this attribute: remembered for an hour."""
        self._refused.pop(name, None)
        self._refused[name] = (now, why)
        while len(self._refused) > REFUSED_MAX:
            del self._refused[next(iter(self._refused))]

    def reported_missing(self, name: str, now: float) -> None:
        """A 400 named this attribute, whatever the list says: at the second time it is given up for an hour."""
        self._known.pop(name, None)
        if name in self._doubted or len(self._doubted) >= REFUSED_MAX:
            self.refused(name, "Intercom refuses this attribute; look at it in the workspace's settings", now)
        else:
            self._doubted.add(name)

    def value_refused(self, name: str, value: Scalar, now: float) -> None:
        """A 400 named this attribute with this value: it is left out for an hour, and other values are not.

        The list, read again, tells whether the attribute is missing or of another type; else it is the value.
        """
        self.doubt(now)
        self._refused_values[name, digest_of(value)] = now
        while len(self._refused_values) > REFUSED_MAX:
            del self._refused_values[next(iter(self._refused_values))]

    def doubt(self, now: float) -> bool:
        """Marks the list as stale unless it is younger than `TRUSTED_SECONDS`; returns whether it did."""
        if 0.0 <= now - self._read_at < TRUSTED_SECONDS:
            return False
        self._read_at = -FRESH_SECONDS
        return True

    def must_be_read(self, values: Mapping[str, Scalar], now: float) -> bool:
        """Whether the list must be read before these values are fitted to it.

        So it is if a value is not among the options of its attribute: it may have been added since.
        """
        return self.stale(now) or (any(starmap(self._is_no_option, values.items())) and self.doubt(now))

    def _is_no_option(self, name: str, value: Scalar) -> bool:
        attribute = self._known.get(name)
        if attribute is None or value is None or not attribute.choices:
            return False
        return convert(value, attribute.data_type)[0] not in attribute.choices

    def doubted(self, name: str) -> bool:
        """Whether a 400 has named this attribute since the list was read."""
        return name in self._doubted

    def _refusal(self, name: str, now: float) -> str:
        when, why = self._refused.get(name, (0.0, ""))
        # What was refused in the future was refused before a clock was set back: nobody knows how long ago.
        return why if 0.0 <= now - when < REFUSED_SECONDS else ""

    def fit(self, name: str, value: Scalar, now: float, *, is_time: bool = False) -> Fitted:
        """What to do with a custom attribute's value. `is_time`: the sender typed it as a point in time."""
        why = self._refusal(name, now)
        if why:
            return Fitted(Fit.LEAVE_OUT, why=why)
        attribute = self._known.get(name)
        if attribute is None:
            return self._absent(name, value, now, is_time=is_time)
        if attribute.archived or not attribute.api_writable:
            state = "archived" if attribute.archived else "not writable through the API"
            return Fitted(Fit.LEAVE_OUT, why=f"the attribute is {state} in Intercom: dropped it; change that there")
        if is_time and attribute.data_type in _DATES:
            fitted, how = value, ""  # Seconds already, also where they are so many that a number would be milliseconds.
        else:
            fitted, how = convert(value, attribute.data_type)
        if fitted is None and value is not None:
            why = f"the attribute is of type {attribute.data_type} in Intercom, and the value does not fit it"
            return Fitted(Fit.LEAVE_OUT, why=why)
        choices = attribute.choices
        if fitted is not None and choices and fitted not in choices:
            why = "the attribute is a list in Intercom, and the value is not one of its options; add it"
            return Fitted(Fit.LEAVE_OUT, why=why)
        if self._value_refused(name, fitted, now):
            return Fitted(Fit.LEAVE_OUT, why=_VALUE_REFUSED)
        return Fitted(Fit.SEND, fitted, why=how)

    def _value_refused(self, name: str, value: Scalar, now: float) -> bool:
        when = self._refused_values.get((name, digest_of(value))) if self._refused_values else None
        return when is not None and 0.0 <= now - when < REFUSED_SECONDS

    def _absent(self, name: str, value: Scalar, now: float, *, is_time: bool) -> Fitted:
        if not self._readable and name not in self._doubted:
            refused = self._value_refused(name, value, now)
            return Fitted(Fit.LEAVE_OUT, why=_VALUE_REFUSED) if refused else Fitted(Fit.SEND, value)
        if value is None:
            return Fitted(Fit.LEAVE_OUT, why="Intercom has no such attribute: dropped the removal")
        if self._settings.missing_attributes != "create":
            why = 'Intercom has no such attribute: create it there, or set missing_attributes = "create"'
            return Fitted(Fit.LEAVE_OUT, why=why)
        while self._created and not 0.0 <= now - self._created[0] < DAY_SECONDS:
            self._created.popleft()
        if len(self._created) >= self._settings.attributes_created_max:
            why = f"attributes_created_max = {self._settings.attributes_created_max} attributes were created in a day"
            return Fitted(Fit.LEAVE_OUT, why=why + "; raise it, or create the attribute in Intercom")
        data_type = self._settings.attribute_types.get(name) or type_of(name, value, is_time=is_time)
        return Fitted(Fit.CREATE, value, data_type=data_type)


def type_of(name: str, value: Scalar, *, is_time: bool) -> str:
    """The type to create an attribute with: "a type can't be changed later", so numbers are floats.

    "a moment in time, and a whole number of plausible seconds whose name ends in `_at`, is a `datetime`: as a `float`
    Intercom's date filters never work on it". So are milliseconds, which are sent as seconds then.
    """
    if isinstance(value, bool):
        return "boolean"
    if is_time:
        return "datetime"
    if not isinstance(value, int | float):
        return "string"
    seconds = to_seconds(value) if name.endswith(TIME_NAME_ENDING) and value == int(value) else None
    return "datetime" if seconds is not None and PLAUSIBLE_FROM <= seconds < PLAUSIBLE_UNTIL else "float"


_DATES = frozenset({"date", "datetime"})
_LOSSLESS = "the value was converted to the attribute's type in Intercom, without loss"
_TO_SECONDS = "the attribute is a date in Intercom, so the value was converted to whole Unix seconds"
_VALUE_REFUSED = "Intercom refuses this value of the attribute; look at what the attribute takes there"


def convert(value: Scalar, data_type: str) -> tuple[Scalar, str]:
    """The value as the type takes it, and what was done to it; None where it does not fit."""
    fitting = _convert(value, data_type)
    if fitting is None or (fitting == value and type(fitting) is type(value)):
        return fitting, ""
    return fitting, _TO_SECONDS if data_type in _DATES else _LOSSLESS


def _convert(value: Scalar, data_type: str) -> Scalar:
    match data_type:
        case _ if value is None:
            return None
        case "string":
            return str(value).lower() if isinstance(value, bool) else str(value)
        case "boolean":
            return to_boolean(value)
        case "date" | "datetime":
            return to_seconds(value)
        case "float":
            return to_number(value)
        case "integer":
            number = to_number(value)
            whole = number is not None and number == int(number) and abs(number) <= INTEGER_MAX
            return int(number) if number is not None and whole else None
        case _:
            return value
