"""The custom attributes of a workspace: which exist, which may be made, and how a value must be turned to fit.

"From 2.0 they must exist before they are written", or "the whole request is refused". Who sends what, it does not know.
"""

from collections import deque
from collections.abc import Iterable
from enum import Enum, auto
from itertools import islice

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Scalar

FRESH_SECONDS = 600.0
REFUSED_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
# A workspace holds "at most 250"; more refused names than this are forgotten, oldest first.
REFUSED_MAX = 1000
# Of those that there are; what is beyond counts as missing.
KNOWN_MAX = 10_000


class Attribute(msgspec.Struct, frozen=True):
    """One entry of `GET /data_attributes`."""

    name: str
    data_type: str = "string"
    api_writable: bool = True
    archived: bool = False
    custom: bool = True


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
    """For LEAVE_OUT: the limit and the remedy."""
    converted: bool = False


class Catalogue:
    """What is known of the custom attributes of one workspace."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._known: dict[str, Attribute] = {}
        self._readable = True
        self._read_at = -FRESH_SECONDS
        self._refused: dict[str, tuple[float, str]] = {}
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
        self._known = dict(islice(custom.items(), KNOWN_MAX))
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

    def doubted(self, name: str) -> bool:
        """Whether a 400 has named this attribute since the list was read."""
        return name in self._doubted

    def _refusal(self, name: str, now: float) -> str:
        when, why = self._refused.get(name, (0.0, ""))
        # What was refused in the future was refused before a clock was set back: nobody knows how long ago.
        return why if 0.0 <= now - when < REFUSED_SECONDS else ""

    def fit(self, name: str, value: Scalar, now: float) -> Fitted:
        """What to do with a custom attribute's value."""
        why = self._refusal(name, now)
        if why:
            return Fitted(Fit.LEAVE_OUT, why=why)
        attribute = self._known.get(name)
        if attribute is None:
            return self._absent(name, value, now)
        if attribute.archived or not attribute.api_writable:
            state = "archived" if attribute.archived else "not writable through the API"
            return Fitted(Fit.LEAVE_OUT, why=f"the attribute is {state} in Intercom; change that there")
        fitted, converted = convert(value, attribute.data_type)
        if fitted is None and value is not None:
            why = f"the attribute is of type {attribute.data_type} in Intercom, and the value does not fit it"
            return Fitted(Fit.LEAVE_OUT, why=why)
        return Fitted(Fit.SEND, fitted, converted=converted)

    def _absent(self, name: str, value: Scalar, now: float) -> Fitted:
        if not self._readable and name not in self._doubted:
            return Fitted(Fit.SEND, value)
        if value is None:
            return Fitted(Fit.LEAVE_OUT, why="there is nothing to clear: Intercom has no such attribute")
        if self._settings.missing_attributes != "create":
            why = 'Intercom has no such attribute: create it there, or set missing_attributes = "create"'
            return Fitted(Fit.LEAVE_OUT, why=why)
        while self._created and not 0.0 <= now - self._created[0] < DAY_SECONDS:
            self._created.popleft()
        if len(self._created) >= self._settings.attributes_created_max:
            why = f"attributes_created_max = {self._settings.attributes_created_max} attributes were made in a day"
            return Fitted(Fit.LEAVE_OUT, why=why + "; raise it, or create the attribute in Intercom")
        return Fitted(Fit.CREATE, value, data_type=self._settings.attribute_types.get(name) or type_of(value))


def type_of(value: Scalar) -> str:
    """The type to create an attribute with: "a type can't be changed later", so numbers are floats."""
    if isinstance(value, bool):
        return "boolean"
    return "float" if isinstance(value, int | float) else "string"


def convert(value: Scalar, data_type: str) -> tuple[Scalar, bool]:
    """The value as the type takes it, and whether it had to change; None where it cannot without loss."""
    fitting = _convert(value, data_type)
    return fitting, fitting is not None and (type(fitting) is not type(value))


def _convert(value: Scalar, data_type: str) -> Scalar:
    if value is None or data_type not in {"string", "integer", "float", "boolean", "date", "datetime"}:
        return value
    if data_type == "string":
        return value if isinstance(value, str) else _text(value)
    if data_type == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = _number(value)
    if data_type == "float" or value is None or isinstance(value, int):
        return value
    return int(value) if value == int(value) else None


def _text(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> float | None:
    """The number that this text is the canonical form of, so that nothing of it is lost."""
    for kind in (int, float):
        try:
            number: float = kind(text)
        except ValueError:
            continue
        if str(number) == text and abs(number) < float("inf"):
            return number
    return None
