"""Reads INTERCOMD_ variables into raw values by key; warns of unknown ones, with the nearest known one."""

import re
from collections.abc import Mapping

from intercomd_daemon.config.findings import API_KEY, API_KEY_ADVICE, CONNECTIONS, RawValue, SettingFindings
from intercomd_daemon.config.setting_keys import nearest
from intercomd_daemon.connection import NAME
from intercomd_daemon.setting.kinds import ValueKind, shown

PREFIX = "INTERCOMD_"
# For a single connection, whatever its name.
_SHORT_FORMS = ("app_id", "access_token", "region", "base_url")
_COMMANDS = PREFIX + "CLIENT_"
_NAME = re.compile(NAME)
# Kubernetes sets these for every service of the namespace, also for one named intercomd or intercomd-...:
# {SVCNAME}_SERVICE_HOST, _SERVICE_PORT, _SERVICE_PORT_{name}, and like Docker's links _PORT, _PORT_{n}_TCP_ADDR.
_SERVICE_LINK = re.compile(
    r".*_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)


class Variables:
    """The variables, in the order of their names."""

    def __init__(
        self, keys: Mapping[str, ValueKind], tables: Mapping[str, Mapping[str, ValueKind]], findings: SettingFindings
    ) -> None:
        """`keys` are those of the sections; `tables` has those below `connections.<name>.` and `callers.<name>.`."""
        self.given: dict[str, RawValue] = {}
        """The values by key."""
        self.names: dict[str, list[str]] = {table: [] for table in tables}
        """The connections and callers that variables name."""
        self.short: dict[str, RawValue] = {}
        """The values of the short forms, by the key below the connection."""
        self._keys = {variable(key): key for key in keys}
        self._short = {variable(key): key for key in _SHORT_FORMS}
        # The longest first, as the longest known key at the end of a variable decides.
        self._suffixes: dict[str, dict[str, str]] = {}
        for table, known in tables.items():
            beside = [API_KEY] if table == CONNECTIONS else []
            suffixes = sorted([*known, *beside], key=len, reverse=True)
            self._suffixes[table] = {variable(key).removeprefix(PREFIX): key for key in suffixes}
        self._findings = findings

    def read(self, environment: Mapping[str, str]) -> None:
        """Reads variables of known keys, and warns of others."""
        for name in sorted(environment):
            if name.startswith(PREFIX):
                self._variable(name, RawValue(environment[name], name, is_text=True))

    def _variable(self, name: str, given: RawValue) -> None:
        if name in self._keys:
            self.given[self._keys[name]] = given
        elif name in self._short:
            self.short[self._short[name]] = given
        elif name == variable(API_KEY):
            self._findings.problem(API_KEY, name, API_KEY_ADVICE)
        elif name.startswith(_COMMANDS):
            return  # Options of the commands that call a daemon.
        elif not any(self._entry(table, name, given) for table in self._suffixes) and not _SERVICE_LINK.fullmatch(name):
            near = self._nearest(name.removeprefix(PREFIX))
            advice = f"did you mean {PREFIX}{near}?" if near else "`intercomd config` shows what there is"
            self._findings.warnings.append(f"{name}: no such setting, so it is ignored; {advice}")

    def _entry(self, table: str, name: str, given: RawValue) -> bool:
        """Reads a variable of a connection or a caller; returns whether it is one of this table."""
        prefix, suffixes = f"{variable(table)}_", self._suffixes[table]
        rest = name.removeprefix(prefix) if name.startswith(prefix) else ""
        suffix = next((suffix for suffix in suffixes if rest.endswith("_" + suffix)), None)
        if suffix is None:
            return False
        entry = rest.removesuffix("_" + suffix).lower().replace("_", "-")
        key = f"{table}.{entry}.{suffixes[suffix]}"
        if suffixes[suffix] == API_KEY:
            self._findings.problem(key, name, API_KEY_ADVICE)
        elif not _NAME.fullmatch(entry):
            kind = table.removesuffix("s")
            message = f"{shown(entry)} cannot name a {kind}; write {NAME}: small letters, digits and -"
            self._findings.problem(key, name, message)
        else:
            self.given[key] = given
            if entry not in self.names[table]:
                self.names[table].append(entry)
        return True

    def _nearest(self, rest: str) -> str:
        """Returns the known variable nearest to a name without prefix; in a table, by the longest key."""
        words = rest.split("_")
        for suffix in self._suffixes.get(words[0].lower(), ()):
            end = suffix.count("_") + 1
            if len(words) > end + 1 and nearest("_".join(words[-end:]), [suffix]):
                return "_".join([*words[:-end], suffix])
        return nearest(rest, [known.removeprefix(PREFIX) for known in (*self._keys, *self._short)])


def variable(key: str) -> str:
    """Returns the variable that overrides a key; `-` and `.` become `_`."""
    return PREFIX + key.upper().replace(".", "_").replace("-", "_")
