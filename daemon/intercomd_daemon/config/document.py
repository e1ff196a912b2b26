"""Reads a TOML document into raw values by key; reports unknown keys, with the nearest known one."""

import re
from collections.abc import Mapping

from intercomd_daemon.config.findings import API_KEY, API_KEY_ADVICE, CALLERS, CONNECTIONS, RawValue, SettingFindings
from intercomd_daemon.config.setting_keys import nearest
from intercomd_daemon.connection import NAME
from intercomd_daemon.setting.kinds import ValueKind, shown

_NAME = re.compile(NAME)
_EXAMPLES = {CONNECTIONS: "default", CALLERS: "billing"}


class Document:
    """The document of one file."""

    def __init__(
        self,
        origin: str,
        keys: Mapping[str, ValueKind],
        tables: Mapping[str, Mapping[str, ValueKind]],
        findings: SettingFindings,
    ) -> None:
        """`keys` are those of the sections; `tables` has those below `connections.<name>.` and `callers.<name>.`."""
        self.given: dict[str, RawValue] = {}
        """The values by key."""
        self.names: dict[str, list[str]] = {table: [] for table in tables}
        """The names in each table, those of empty ones included."""
        self._origin = origin
        self._keys = keys
        self._tables = tables
        self._findings = findings

    def read(self, document: Mapping[str, object]) -> None:
        """Reads values of known keys; unknown keys become problems."""
        for name, raw in document.items():
            if name not in self._tables:
                self._walk({name: raw}, "", "", self._keys)
            elif isinstance(raw, dict):
                for entry, table in raw.items():
                    self._entry(name, entry, table)
            else:
                kind, example = _kind(name), _EXAMPLES[name]
                self._problem(name, f"this is not a table; write a {kind}'s settings below [{name}.{example}]")

    def _entry(self, table: str, name: str, content: object) -> None:
        key, kind = f"{table}.{name}", _kind(table)
        if not _NAME.fullmatch(name):
            self._problem(key, f"{shown(name)} cannot name a {kind}; write {NAME}: small letters, digits and -")
        elif not isinstance(content, dict):
            example = _EXAMPLES[table]
            self._problem(key, f"this is not a {kind}; write its settings below [{table}.{example}], for example")
        else:
            self.names[table].append(name)
            self._walk(content, key + ".", "", self._tables[table])

    def _walk(self, table: Mapping[str, object], outer: str, inner: str, keys: Mapping[str, ValueKind]) -> None:
        """`outer` is the prefix of all `keys`, `inner` the path of `table` below it."""
        for name, raw in table.items():
            path = inner + name
            if path in keys and "." not in name:
                self.given[outer + path] = RawValue(raw, self._origin, is_text=False)
            elif not any(key.startswith(path + ".") for key in keys):
                self._problem(outer + path, self._unknown(name, inner, keys))
            elif isinstance(raw, dict):
                self._walk(raw, outer, path + ".", keys)
            else:
                self._problem(outer + path, f"this is not a section; write its settings below [{outer}{path}]")

    def _problem(self, key: str, message: str) -> None:
        self._findings.problem(key, self._origin, message)

    def _unknown(self, name: str, inner: str, keys: Mapping[str, ValueKind]) -> str:
        if name == API_KEY:
            return API_KEY_ADVICE
        beside = list(dict.fromkeys(key[len(inner) :].partition(".")[0] for key in keys if key.startswith(inner)))
        if keys is self._keys and not inner:
            beside += self._tables
        near = nearest(name, beside, keys)
        return "no such setting; " + (f"did you mean {near}?" if near else f"here there are {', '.join(beside)}")


def _kind(table: str) -> str:
    """Returns what a table holds, in words."""
    return table.removesuffix("s")
