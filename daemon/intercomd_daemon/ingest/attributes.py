"""A user's attributes: names and values made fit for Intercom, of equal names the first, trimmed to the limit.

Set attributes come before removed ones; what is set and removed at once is set. Events are unknown here.
"""

from typing import NamedTuple

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Scalar, Time
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.attribute_findings import name_stands, refuse_excess, say_excess, say_repeated
from intercomd_daemon.ingest.contact_fields import field_value
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Attribute, SentValue
from intercomd_daemon.ingest.fast_path import fast_path_pairs
from intercomd_daemon.ingest.names import AttributeName, Meaning, attribute_name
from intercomd_daemon.ingest.values import scalar

_SETTING = "limits.user_attributes_max"


class Update(NamedTuple):
    """A contact update: values by Intercom's names, in the sender's order, removals last as None."""

    values: dict[str, Scalar]
    times: tuple[str, ...] = ()
    """The custom attributes whose value is a point in time: once it is a number, nothing else tells."""


def update_of(attributes: list[Attribute], removed: list[str], rules: ConnectionSettings, found: Findings) -> Update:
    """Build the contact update of an envelope; adjustments and violations go to `found`."""
    usual = None if removed else fast_path_pairs(attributes, rules.limits.user_attributes_max)
    if usual is not None:
        return Update(usual)
    gathered = _Gathered(rules, found)
    for index, (given, value) in enumerate(attributes):
        name = attribute_name(given)
        final = _made_fit(name, given, value, f"user_attributes[{index}]", found)
        if final is not None:
            gathered.place(name, given, final, index, is_time=isinstance(value, Time))
    for index, given in enumerate(removed):
        gathered.remove(given, f"removed_user_attributes[{index}]")
    gathered.close()
    return Update(gathered.update, tuple(gathered.times))


def _made_fit(name: AttributeName, given: str, value: SentValue, path: str, found: Findings) -> Scalar:
    if not name_stands(name, given, path, found):
        return None
    final = scalar(value, path, found)
    if final is None or name.meaning is Meaning.CUSTOM:
        return final
    return field_value(name.name, final, path, found)


class _Gathered:
    """The update as it grows."""

    def __init__(self, rules: ConnectionSettings, found: Findings) -> None:
        self.update: dict[str, Scalar] = {}
        self.times: list[str] = []
        self._rules = rules
        self._found = found
        self._excess = 0
        self._mobile = -1
        """Where the phone comes from, if it was named as the platform does; -1 if not."""

    def place(self, name: AttributeName, given: str, final: Scalar, index: int, *, is_time: bool) -> None:
        """Adds an attribute, unless its name is taken or there is no room."""
        if name.name not in self.update:
            if self._has_room(f"user_attributes[{index}]"):
                self.update[name.name] = final
                if is_time and name.meaning is Meaning.CUSTOM:
                    self.times.append(name.name)
                self._mobile = index if name.meaning is Meaning.MOBILE else self._mobile
        elif name.name == "phone" and name.meaning is Meaning.CONTACT_FIELD and self._mobile >= 0:
            # "Plain `name` and `phone` win."
            self.update[name.name] = final
            say_repeated(name.name, f"user_attributes[{self._mobile}]", self._found)
            self._mobile = -1
        else:
            say_repeated(given, f"user_attributes[{index}]", self._found)

    def remove(self, given: str, path: str) -> None:
        """Adds the clearing of an attribute, unless it is set; twice is once."""
        name = attribute_name(given)
        if not name_stands(name, given, path, self._found):
            return
        if name.name not in self.update:
            if self._has_room(path):
                self.update[name.name] = None
        elif self.update[name.name] is not None:
            message = f"{quoted(given)} is also set, and stays so"
            self._found.adjust("ATTRIBUTE_DROPPED", path, message)

    def _has_room(self, path: str) -> bool:
        maximum = self._rules.limits.user_attributes_max
        if len(self.update) < maximum:
            return True
        self._excess += 1
        if self._rules.limits.on_excess == "trim":
            say_excess(path, maximum, _SETTING, self._found)
        return False

    def close(self) -> None:
        """Says what is left to say when all attributes have been looked at."""
        if self._excess and self._rules.limits.on_excess == "reject":
            refuse_excess(
                "user_attributes", self._excess, self._rules.limits.user_attributes_max, _SETTING, self._found
            )
