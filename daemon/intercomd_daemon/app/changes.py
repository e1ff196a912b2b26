"""Compares two configurations: what changes with a reload, and what needs a restart. Pure."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from intercomd_daemon.config import TABLES, Settings
from intercomd_daemon.config.findings import CALLERS, CONNECTIONS
from intercomd_daemon.config.listener_checks import open_addresses
from intercomd_daemon.spool.rows import LogUsage, Usage

# Addresses are bound, and the spool is opened, once. gRPC takes the size of its messages when a server is made.
RESTART = frozenset(
    {
        "ingest.listen",
        "ingest.request_bytes_max",
        "ingest.connections_max",
        "ingest.connection_age_max",
        "ingest.unix_mode",
        "ingest.unix_group",
        "operations.channelz",
        "operations.listen",
        "operations.grpc_listen",
        "operations.unix_mode",
        "operations.unix_group",
        "health.listen",
        "log.format",
    }
)
RESTART_SECTIONS = ("fleet.", "spool.", "traces.", "upstream.")


class Changes(NamedTuple):
    """What a new configuration changes, by key."""

    settings: Settings
    """The configuration to use: the new one, with the old values where a restart is needed."""
    changed: tuple[str, ...]
    """Keys that take effect at once; `connections.<name>` or `callers.<name>` for one that was added or removed."""
    restart: tuple[str, ...]
    """Keys that take effect at the next start."""


def compare(old: Settings, new: Settings) -> Changes:
    """Returns what a reload from `old` to `new` changes."""
    before, after = _flat(old), _flat(new)
    changed = [
        f"{table}.{name}"
        for table in TABLES
        for name in sorted(getattr(old, table).keys() ^ getattr(new, table).keys())
    ]
    keys = sorted(key for key in before.keys() & after.keys() if before[key] != after[key])
    restart = [key for key in keys if _needs_restart(key, before[key], after[key])]
    changed += [key for key in keys if key not in restart]
    settings = _keep(old, new)
    if old.upstream.on != new.upstream.on:
        # An agent's connections need no token: without this one, the daemon could deliver nothing until the restart.
        left = [key for key in changed if key.startswith(f"{CONNECTIONS}.")]
        changed = [key for key in changed if key not in left]
        restart = sorted(restart + left)
        settings = replace(settings, connections=old.connections)
    return Changes(settings, tuple(changed), tuple(restart))


def contradictions(old: Settings, used: Settings) -> list[str]:
    """Returns why a reload from `old` must not apply `used`, a part of a file that is right for the next start.

    Addresses and client CAs need a restart, and callers do not. The file could remove the callers of an address that
    the daemon still listens on, or name callers by certificates that no listener verifies yet.
    """
    before = open_addresses(old)
    allowed = {"ingest": used.ingest.insecure, "operations": used.operations.insecure}
    opened = [
        f"{key} (needs a restart): until then the daemon listens on {address}, which would be open to everyone without "
        "the callers that are removed: restart the daemon, or keep a caller until then"
        for key, address in open_addresses(used).items()
        if key not in before and not allowed[key.partition(".")[0]]
    ]
    if used.ingest.tls.client_ca_file or used.operations.tls.client_ca_file:
        return opened
    return opened + [
        f"{CALLERS}.{name}.certificate_names: no listener verifies certificates until client_ca_file takes effect, at "
        "a restart, and all calls of this caller would be refused: restart the daemon, or give the caller a token"
        for name, caller in used.callers.items()
        if caller.certificate_names and not (caller.token_sha256 or caller.token_file)
    ]


def warn_of_removed(old: Collection[str], new: Collection[str], usage: Usage) -> list[str]:
    """Returns a warning for each removed connection with waiting envelopes, which no other message shows."""
    counts = {name: usage.connections.get(name, LogUsage()) for name in old if name not in new}
    return [
        f"{CONNECTIONS}.{name} (removed): {waiting} waiting envelopes stay in the spool; "
        "configure the connection again to deliver them"
        for name, count in counts.items()
        if (waiting := count.normal + count.bulk)
    ]


def warn_of_workspace(name: str, workspace: str, waiting: int) -> str:
    """Returns a warning: the envelopes of a connection go to another workspace than when they were accepted."""
    return (
        f"{CONNECTIONS}.{name} (another workspace): {waiting} waiting envelopes go to {workspace}; "
        "if that is wrong, pause the connection and correct app_id, region or base_url"
    )


def _needs_restart(key: str, before: object, after: object) -> bool:
    """Returns whether a changed key needs a restart; so does turning TLS or a client CA on or off."""
    return key in RESTART or key.startswith(RESTART_SECTIONS) or (".tls." in key and bool(before) != bool(after))


def _keep(old: msgspec.Struct, new: Any, prefix: str = "") -> Any:  # noqa: ANN401 - any section
    """Returns `new` with the old value of each key that needs a restart."""
    kept: dict[str, Any] = {}
    for field in msgspec.structs.fields(new):
        key = prefix + field.encode_name
        value = getattr(new, field.name)
        if isinstance(value, msgspec.Struct):
            kept[field.name] = _keep(getattr(old, field.name), value, key + ".")
        elif _needs_restart(key, getattr(old, field.name), value):
            kept[field.name] = getattr(old, field.name)
    return replace(new, **kept)


def _flat(section: msgspec.Struct, prefix: str = "") -> dict[str, object]:
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(section):
        key, value = prefix + field.encode_name, getattr(section, field.name)
        if isinstance(value, msgspec.Struct):
            values |= _flat(value, key + ".")
        elif isinstance(value, Mapping) and any(isinstance(item, msgspec.Struct) for item in value.values()):
            for name, item in value.items():
                values |= _flat(item, f"{key}.{name}.")
        else:
            values[key] = value
    return values
