"""Loads the settings from a file and the environment, each with its origin, or reports all problems at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from intercomd_daemon.config.consistency import check_consistency
from intercomd_daemon.config.document import Document
from intercomd_daemon.config.findings import CONNECTIONS, RawValue, SettingFindings
from intercomd_daemon.config.setting_keys import build, keys_of, values_of
from intercomd_daemon.config.settings import TABLES, Settings
from intercomd_daemon.config.shared_workspaces import separate
from intercomd_daemon.config.upstream import TARGET
from intercomd_daemon.config.variables import Variables, variable
from intercomd_daemon.errors import SettingsInvalid
from intercomd_daemon.setting.kinds import ValueKind
from intercomd_daemon.toml import TomlInvalid, parse
from intercomd_daemon.watched_file import FileUnusable, check_regular

FILE_BYTES_MAX = 1 << 20
"""Of a settings file; a thousand connections take a fifth of it."""
DEFAULT = "default"
"""The origin of settings that are not set; also the connection of the short forms if none is named."""


class LoadedSettings(NamedTuple):
    """The settings in force."""

    settings: Settings
    origins: Mapping[str, str]
    """For each key (`connections.default.region`): the file's path, the variable's name, or "default"."""
    warnings: tuple[str, ...]
    """Each in one line with the key, the origin and the remedy."""


class SettingRow(NamedTuple):
    """One line of `intercomd config`."""

    key: str
    value: str
    """In TOML, with secrets masked."""
    origin: str


def load(path: str | None, environment: Mapping[str, str], *, serving: bool = False) -> LoadedSettings:
    """Reads the file, if one is named, and the INTERCOMD_ variables, which override it.

    A daemon that is `serving` reads regular files only: while it waited for the other end of a pipe, it would
    not serve.

    Raises:
        SettingsInvalid: with every problem at once.
    """
    findings = SettingFindings()
    keys, tables = keys_of(Settings), {table: keys_of(entry) for table, entry in TABLES.items()}
    document = Document(path or "", keys, tables, findings)
    unread = "" if path is None else _read(path, document, serving=serving)
    if unread:
        findings.problems.append(unread)
    variables = Variables(keys, tables, findings)
    variables.read(environment)
    names = {table: list(dict.fromkeys([*document.names[table], *variables.names[table]])) for table in TABLES}
    forwards = TARGET in {*document.given, *variables.given}
    if (variables.short or forwards) and not names[CONNECTIONS]:
        names[CONNECTIONS] = [DEFAULT]
    given = document.given | _short_forms(variables, names[CONNECTIONS], findings) | variables.given
    for table, name in _entries(names):
        keys |= {f"{table}.{name}.{key}": kind for key, kind in tables[table].items()}
    for name in names[CONNECTIONS]:
        _choose_token(f"{CONNECTIONS}.{name}.", given, findings)
    values = _values(given, keys, findings)
    origins = {key: given[key].origin if key in given else DEFAULT for key in keys}
    built: dict[str, dict[str, msgspec.Struct]] = {table: {} for table in TABLES}
    for table, name in _entries(names):
        built[table][name] = build(TABLES[table], values, f"{table}.{name}.", name=name)
    tables_built: dict[str, object] = {table: MappingProxyType(entries) for table, entries in built.items()}
    settings = build(Settings, values, "", **tables_built)
    if not unread:
        _require_connection(names[CONNECTIONS], findings)
        check_consistency(settings, origins, given.keys() - values.keys(), findings)
    if findings.problems:
        raise SettingsInvalid(findings.problems)
    settings = separate(settings, origins, findings)
    return LoadedSettings(settings, MappingProxyType(origins), tuple(findings.warnings))


def describe(loaded: LoadedSettings) -> list[SettingRow]:
    """Returns every setting in force, in the order of the documentation."""
    ingest = loaded.settings.ingest
    # A default that another setting decides: a client CA limits the age of connections.
    in_force = replace(ingest, connection_age_max_seconds=ingest.connection_age_seconds)
    rows = list(values_of(replace(loaded.settings, ingest=in_force)))
    for table in TABLES:
        for name, entry in getattr(loaded.settings, table).items():
            rows += values_of(entry, f"{table}.{name}.")
    return [SettingRow(key, value, loaded.origins[key]) for key, value in rows]


def _entries(names: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yields each table with each of its names."""
    return ((table, name) for table, found in names.items() for name in found)


def _read(path: str, document: Document, *, serving: bool) -> str:
    """Reads the file into the document; returns the problem, or ""."""
    try:
        if serving:
            check_regular(path)
        with Path(path).open("rb") as file:
            encoded = file.read(FILE_BYTES_MAX + 1)
        if len(encoded) > FILE_BYTES_MAX:
            return f"{path} is larger than {FILE_BYTES_MAX} bytes, the limit; is it another file?"
        content = parse(encoded)
    except FileUnusable as error:
        return str(error)
    except OSError as error:
        return f"{path}: the file cannot be read ({error.strerror}); name another, or set variables instead"
    except TomlInvalid as error:
        return f"{path}: {error}"
    document.read(content)
    return ""


def _short_forms(variables: Variables, names: list[str], findings: SettingFindings) -> dict[str, RawValue]:
    """Returns the short forms under the full keys of the only connection."""
    full: dict[str, RawValue] = {}
    for key, given in variables.short.items():
        if len(names) > 1:
            message = f"this applies to a single connection, and there are {', '.join(names)}; say which"
            findings.problem(key, given.origin, f"{message}: {variable(f'{CONNECTIONS}.{names[0]}.{key}')}")
            continue
        path = f"{CONNECTIONS}.{names[0]}.{key}"
        full[path] = given
        if path in variables.given:
            findings.warn(path, given.origin, f"not used, because {variables.given[path].origin} is set too")
    return full


def _choose_token(prefix: str, given: dict[str, RawValue], findings: SettingFindings) -> None:
    """Keeps the token or the token file: the one from the environment. Both from the same place are a problem."""
    token, file = given.get(prefix + "access_token"), given.get(prefix + "access_token_file")
    if token and token.raw and not token.is_text:
        message = (
            "anyone who can read this file has the token; "
            "move it to a file of its own and name that in access_token_file"
        )
        findings.warn(prefix + "access_token", token.origin, message)
    if not (token and token.raw and file and file.raw):
        return
    if token.is_text == file.is_text:
        message = f"access_token_file ({file.origin}) is set too; keep one of the two"
        findings.problem(prefix + "access_token", token.origin, message)
        return
    used, unused = (token, "access_token_file") if token.is_text else (file, "access_token")
    findings.warn(prefix + unused, given.pop(prefix + unused).origin, f"not used, because {used.origin} is set")


def _values(given: Mapping[str, RawValue], keys: Mapping[str, ValueKind], findings: SettingFindings) -> dict[str, Any]:
    values = {}
    for key, (raw, origin, is_text) in given.items():
        kind = keys[key]
        try:
            values[key] = kind.read(kind.from_text(str(raw)) if is_text else raw)
        except ValueError as error:
            findings.problem(key, origin, str(error))
    return values


def _require_connection(names: list[str], findings: SettingFindings) -> None:
    if not names and not any(problem.startswith(CONNECTIONS) for problem in findings.problems):
        message = (
            "no connection is configured; set INTERCOMD_APP_ID and INTERCOMD_ACCESS_TOKEN, "
            "or write [connections.default] with app_id and access_token_file"
        )
        findings.problem(CONNECTIONS, "not set", message)
