"""The custom attributes of a workspace: which exist, which may be created, and how a value is converted to fit.

"A custom attribute must exist before it is written" (I16), or the 400 "refuses the whole request" (I17).
"""

from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from itertools import islice, starmap
from typing import Any, NamedTuple

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.conversion import fits_integer, to_boolean, to_number, to_seconds
from intercomd_daemon.deliver.lane.known_contact import digest_of
from intercomd_daemon.envelope import Scalar
from intercomd_daemon.errors import quoted

FRESH_SECONDS = 600.0
# A response that contradicts the list, or a value that is not among an attribute's options, makes the list stale unless
# it is younger than this.
TRUSTED_SECONDS = 60.0
REFUSED_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
# Refused names, and refused values, that are remembered; the oldest are forgotten. A workspace holds at most 250.
REFUSED_MAX = 1000
# A whole number of seconds between 2000 and 2100 in an attribute named `…_at` counts as a time.
TIME_NAME_ENDING = "_at"
PLAUSIBLE_FROM = 946_684_800
PLAUSIBLE_UNTIL = 4_102_444_800
# Attributes of the list that are kept; further ones count as missing.
KNOWN_MAX = 10_000
_DATES = frozenset({"date", "datetime"})


class DataAttribute(msgspec.Struct, frozen=True):
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
        """The only values that Intercom accepts for the attribute; empty if it accepts any."""
        listed = self.options if isinstance(self.options, list) else []
        values = [option.get("value") if isinstance(option, dict) else option for option in listed]
        return frozenset(value for value in values if isinstance(value, str))


class AttributeList(msgspec.Struct, frozen=True):
    """The response of `GET /data_attributes`."""

    data: list[DataAttribute] = []


class Fit(Enum):
    """What to do with an attribute's value."""

    SEND = auto()
    CREATE = auto()
    LEAVE_OUT = auto()


class Fitted(msgspec.Struct, frozen=True):
    """What to do with an attribute's value, and the finding about it."""

    fit: Fit
    value: Scalar = None
    """For SEND and CREATE: the value as Intercom accepts it."""
    data_type: str = ""
    """For CREATE."""
    message: str = ""
    """For LEAVE_OUT: name, value, reason and fix. For SEND: how the value was converted; empty if it was not."""


class _Refusal(NamedTuple):
    """Why Intercom does not accept an attribute, and when it refused it."""

    cause: str
    fix: str
    when: float


class AttributeCatalog:
    """The state of the custom attributes of one workspace, as far as the daemon has seen it."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._known: dict[str, DataAttribute] = {}
        self._readable = True
        self._read_at = -FRESH_SECONDS
        self._refused: dict[str, _Refusal] = {}
        self._refused_values: dict[tuple[str, int], float] = {}
        self._doubted: dict[str, int | None] = {}
        """Attributes that a 400 reported as missing, with the number of the creation that followed."""
        self._created: deque[float] = deque()
        self.creations = 0
        """How many attributes were created: a call that left before a creation does not show its effect."""

    @property
    def in_use(self) -> int:
        """The number of known attributes that are not archived."""
        return sum(not attribute.archived for attribute in self._known.values())

    @property
    def creation_times(self) -> list[float]:
        """When attributes were created within the last day, in Unix seconds."""
        return list(self._created)

    def stale(self, now: float) -> bool:
        """Whether the list must be fetched before the next update with custom attributes."""
        return not 0.0 <= now - self._read_at < FRESH_SECONDS

    def absent(self, name: str, now: float) -> bool:
        """Whether the attribute is neither in the list nor refused, so that it may be created."""
        return name not in self._known and self._refusal(name, now) is None

    def read(self, attributes: Iterable[DataAttribute], now: float) -> None:
        """Replaces the list with the fetched one."""
        custom = {attribute.name: attribute for attribute in attributes if attribute.custom}
        before, self._known = self._known, dict(islice(custom.items(), KNOWN_MAX))
        for name, digest in list(self._refused_values):
            if before.get(name) != self._known.get(name):
                # The attribute has changed, so Intercom may accept the value now.
                del self._refused_values[name, digest]
        self._readable = True
        self._read_at = now
        self._doubted.clear()

    def unreadable(self, now: float) -> None:
        """Records that the token may not read the list: values are sent as they are, and 400s name what is missing."""
        self._readable = False
        self._read_at = now

    def restore(self, created: Iterable[float], now: float) -> None:
        """Counts attributes that were created before, at these times (Unix seconds, in order), if within a day."""
        recent = [time for time in created if 0.0 <= now - time < DAY_SECONDS]
        self._created.extendleft(reversed(deque(recent, maxlen=self._settings.attributes_created_max)))

    def created(self, name: str, data_type: str, now: float) -> None:
        """Records that the daemon created an attribute."""
        self._created.append(now)
        self.creations += 1
        if name in self._doubted:
            self._doubted[name] = self.creations
        while len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[name] = DataAttribute(name, data_type)

    def refused(self, name: str, cause: str, fix: str, now: float) -> None:
        """Remembers for an hour that Intercom does not accept this attribute; `cause` and `fix` are for the finding."""
        self._refused.pop(name, None)
        self._refused[name] = _Refusal(cause, fix, now)
        while len(self._refused) > REFUSED_MAX:
            del self._refused[next(iter(self._refused))]

    def reported_missing(self, name: str, creations: int, now: float) -> None:
        """Records a 400 that reports this attribute as missing, of a call that left after this number of creations.

        The attribute is created then. Only a 400 of a call that left after that counts as a refusal, for an hour: calls
        of many users may be in flight when the attribute turns out to be missing.
        """
        if name in self._doubted:
            created = self._doubted[name]
            if created is None or creations < created:
                return
        elif len(self._doubted) < REFUSED_MAX:
            self._known.pop(name, None)
            self._doubted[name] = None
            return
        self._known.pop(name, None)
        cause = f"Intercom reports attribute {quoted(name)} as missing, although it was created"
        self.refused(name, cause, "check it in the workspace's settings", now)

    def value_refused(self, name: str, value: Scalar, now: float) -> None:
        """Records a 400 that names this attribute: this value of it is left out for an hour, other values are sent.

        The list becomes stale, because the attribute may also be missing or of another type now.
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

        A value that is not among the options of its attribute is a reason: the option may have been added since.
        """
        return self.stale(now) or (any(starmap(self._lacks_option, values.items())) and self.doubt(now))

    def _lacks_option(self, name: str, value: Scalar) -> bool:
        attribute = self._known.get(name)
        if attribute is None or value is None or not attribute.choices:
            return False
        return convert(value, attribute.data_type) not in attribute.choices

    def doubted(self, name: str) -> bool:
        """Whether a 400 has named this attribute since the list was read."""
        return name in self._doubted

    def _refusal(self, name: str, now: float) -> _Refusal | None:
        refusal = self._refused.get(name)
        # A refusal in the future is from before the clock was set back: its age is unknown, so it does not count.
        return refusal if refusal is not None and 0.0 <= now - refusal.when < REFUSED_SECONDS else None

    def fit(self, name: str, value: Scalar, now: float, *, is_time: bool = False) -> Fitted:
        """What to do with a custom attribute's value. `is_time`: the sender typed it as a point in time."""
        refusal = self._refusal(name, now)
        if refusal is not None:
            return _left_out(refusal.cause, value, refusal.fix)
        attribute = self._known.get(name)
        if attribute is None:
            return self._fit_missing(name, value, now, is_time=is_time)
        if attribute.archived:
            return _left_out(f"attribute {quoted(name)} is archived in Intercom", value, "unarchive it there")
        if not attribute.api_writable:
            return _left_out(f"attribute {quoted(name)} is not writable through the API", value, "make it writable")
        # A typed time is in seconds already. `convert` would take one above 10^11 for milliseconds.
        fitted = value if is_time and attribute.data_type in _DATES else convert(value, attribute.data_type)
        if fitted is None and value is not None:
            return _left_out(_typed(name, attribute), value, "send a value of that type")
        choices = attribute.choices
        if fitted is not None and choices and fitted not in choices:
            cause = f"attribute {quoted(name)} is a list of {len(choices)} options in Intercom, without this value"
            return _left_out(cause, value, "add the option there, or send one of them")
        if self._value_refused(name, fitted, now):
            return _left_out_as_refused(name, value)
        if fitted == value and type(fitted) is type(value):
            return Fitted(Fit.SEND, fitted)
        unit = " (Unix seconds)" if attribute.data_type in _DATES else ""
        return Fitted(
            Fit.SEND, fitted, message=f"{_typed(name, attribute)}: {shown(value)} became {shown(fitted)}{unit}"
        )

    def stored_value(self, name: str, value: Scalar, *, converted: bool = False) -> Scalar:
        """Returns a custom attribute's value as Intercom stores it: values that it stores as the same are equal.

        They are 1 and 1.0 of a number, or one moment in two time zones of a date. `converted`: the value was fitted.
        A value that does not convert is returned as it is, and so is any if the type of the attribute is not known.
        """
        attribute = self._known.get(name)
        if attribute is None or value is None:
            return value
        stored = value if converted else convert(value, attribute.data_type)
        if attribute.data_type == "float" and isinstance(stored, float) and stored.is_integer():
            return int(stored)
        return value if stored is None else stored

    def _value_refused(self, name: str, value: Scalar, now: float) -> bool:
        when = self._refused_values.get((name, digest_of(value))) if self._refused_values else None
        return when is not None and 0.0 <= now - when < REFUSED_SECONDS

    def _fit_missing(self, name: str, value: Scalar, now: float, *, is_time: bool) -> Fitted:
        """As `fit`, for an attribute that the list does not have, or if the list cannot be read."""
        if not self._readable and name not in self._doubted:
            refused = self._value_refused(name, value, now)
            return _left_out_as_refused(name, value) if refused else Fitted(Fit.SEND, value)
        missing = f"Intercom has no attribute {quoted(name)}"
        if value is None:
            return _left_out(missing, value, "nothing needs to be removed")
        if self._settings.missing_attributes != "create":
            return _left_out(missing, value, 'create it there, or set missing_attributes = "create"')
        while self._created and not 0.0 <= now - self._created[0] < DAY_SECONDS:
            self._created.popleft()
        created_max = self._settings.attributes_created_max
        if len(self._created) >= created_max:
            cause = f"{missing}, and attributes_created_max = {created_max} were created within a day"
            return _left_out(cause, value, "raise the limit, or create the attribute in Intercom")
        data_type = self._settings.attribute_types.get(name) or type_of(name, value, is_time=is_time)
        return Fitted(Fit.CREATE, value, data_type=data_type)


def _typed(name: str, attribute: DataAttribute) -> str:
    return f"attribute {quoted(name)} is of type {attribute.data_type} in Intercom"


def _left_out(cause: str, value: Scalar, fix: str) -> Fitted:
    return Fitted(Fit.LEAVE_OUT, message=f"{cause}: dropped {shown(value)}; {fix}")


def _left_out_as_refused(name: str, value: Scalar) -> Fitted:
    cause = f"Intercom refuses this value of attribute {quoted(name)}"
    return _left_out(cause, value, "check there which values the attribute accepts")


def shown(value: Scalar) -> str:
    """Returns a value for a finding: shortened, texts in double quotes."""
    if value is None:
        return "the removal"
    return quoted(value) if isinstance(value, str) else msgspec.json.encode(value).decode()


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


def convert(value: Scalar, data_type: str) -> Scalar:
    """The value as an attribute of this type accepts it; None if it does not convert."""
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
            whole = number is not None and number == int(number) and fits_integer(number)
            return int(number) if number is not None and whole else None
        case _:
            return value
