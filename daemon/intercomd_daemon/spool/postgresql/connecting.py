"""Opens connections with the settings that every session of the spool needs."""

import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from intercomd_daemon.spool.postgresql.pooler import NOT_KEPT, SESSIONS, STATEMENT_LOST
from intercomd_daemon.spool.postgresql.session import CONNECT_SECONDS, describe, within
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.watched_file import FileUnusable, WatchedFile

STATEMENT_SECONDS = 30
"""The server ends a statement after this time, whatever has become of the daemon."""
LOCK_SECONDS = 5
_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_READ_ONLY = "it is a standby, or default_transaction_read_only is on for the server, the database or the role"
HOST_SECONDS_MIN = 2.0
"""A host of several has this long to answer, so that a silent one leaves time for the next."""
_FORCE_DURABILITY = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"
)
_NO_TRANSACTION_TIMEOUT = (
    "SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('transaction_timeout', true) <> '0'"
)
"""PostgreSQL 17 has it; the limits of statements and of idleness are enough, and a copy takes longer."""
_URL = re.compile(r"(?P<role>\w+://(?:[^/?#]*@)?)(?P<hosts>[^/?#]*)(?P<rest>.*)")


IGNORED = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "sslcompression",
        "sslsni",
    }
)
"""Parameters of libpq that the driver would send to the server, which refuses them.

The time limits of a session and the order of hosts are the daemon's own. Values that demand protection, such as
`channel_binding=require`, are errors of the settings (`setting.places.spool_url`).
"""
_FILES = frozenset({"sslcert", "sslcrl", "sslkey", "sslrootcert"})
PEM_BYTES_MAX = 1 << 20
"""Read of a file with certificates or a key."""
PASSWORD_BYTES_MAX = 4096
"""Of a password's file; a longer file is another one."""


class PasswordUnreadable(OSError):
    """The file with the password cannot be read, or holds something else."""


def connector(settings: PostgresqlSettings) -> Callable[[], Awaitable[asyncpg.Connection]]:
    """Returns what opens a connection to the first host that accepts writes, beginning with the one of the last time.

    Each host has its own time-out, and whatever it fails with, the next one is tried. asyncpg has one time-out for all
    hosts, and goes on to the next only after an OSError: after a fail-over, a host that is silent, or still starts,
    would hide the new primary.
    """
    session_settings = _session_settings(settings)
    hosts = hosts_of(settings.url)
    url, files = without_ignored(settings.url)
    if len(hosts) > 1:
        # The driver gets them one by one: Python's parser refuses a list with an IPv6 address behind another host.
        url = _URL.sub(r"\g<role>\g<rest>", url)
    seconds = max(HOST_SECONDS_MIN, CONNECT_SECONDS / len(hosts))

    async def connect() -> asyncpg.Connection:
        secret = password(settings.password_file) if settings.password_file else None
        _check_files(files)
        failures: list[str] = []
        for host, port in tuple(hosts):  # Other sessions change the order meanwhile.
            try:
                connection = await asyncpg.connect(
                    url,
                    host=host,
                    port=port,
                    password=secret,
                    server_settings={"application_name": f"intercomd {settings.daemon_id}".strip()},
                    timeout=seconds,
                    target_session_attrs=SessionAttribute.read_write,
                )
            except _FAILURES as error:
                refuses = isinstance(error, asyncpg.TargetServerAttributeNotMatched)
                if len(hosts) == 1 and not refuses:
                    raise
                failures.append(f"{host or 'the host'}: {_READ_ONLY if refuses else describe(error)}")
            else:
                hosts.remove((host, port))
                hosts.insert(0, (host, port))
                return await _prepare(connection, session_settings, _lease(settings))
        raise ConnectionError(f"no host accepts writes: {'; '.join(failures)}")

    return connect


def without_ignored(url: str) -> tuple[str, dict[str, str]]:
    """Returns the URL without `IGNORED`, and the files that it names by parameter."""
    address, mark, query = url.partition("?")
    pairs = [pair for pair in query.split("&") if pair.partition("=")[0] not in IGNORED]
    files = {name: values[-1] for name, values in parse_qs(query).items() if name in _FILES}
    return f"{address}{mark if pairs else ''}{'&'.join(pairs)}", files


def _check_files(files: Mapping[str, str]) -> None:
    """Names the file that cannot be read or is not a PEM file: errors of Python's ssl do not name it."""
    for name, path in files.items():
        try:
            with Path(path).open("rb") as file:
                content = file.read(PEM_BYTES_MAX)
        except OSError as error:
            raise ConnectionError(f"{name} {path}: {error.strerror}") from error
        if b"-----BEGIN " not in content:
            raise ConnectionError(f"{name} {path} is not a PEM file")


def _lease(settings: PostgresqlSettings) -> int:
    """Returns the whole seconds after which a session without a living daemon must have ended."""
    return max(1, int(settings.lease_seconds))


def _session_settings(settings: PostgresqlSettings) -> str:
    """Returns the statements that set what every session needs.

    They are statements, and no parameters of the connection: PgBouncer refuses a connection with any of these.
    """
    lease = _lease(settings)
    values = {
        "search_path": "intercomd",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{lease}s",
        "client_connection_check_interval": f"{lease}s",
        "tcp_keepalives_idle": str(lease),
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": str(lease * 1000),
        "jit": "off",
        # Against other defaults of the role or the database. What is read under a lock must be read later than that,
        # the control session is idle between renewals, and the warning at a commit says that it is in doubt.
        "default_transaction_isolation": "read committed",
        "idle_session_timeout": "0",
        "client_min_messages": "warning",
    }
    return "; ".join(
        [*(f"SET {name} = '{value}'" for name, value in values.items()), _FORCE_DURABILITY, _NO_TRANSACTION_TIMEOUT]
    )


async def _prepare(connection: asyncpg.Connection, session_settings: str, lease: int) -> asyncpg.Connection:
    """Sets what every session needs; closes the connection if that fails."""
    _set_timeout(connection, lease * 1000)
    try:
        await within(CONNECT_SECONDS, connection, lambda each: each.execute(session_settings))
    except BaseException:
        connection.terminate()
        raise
    return connection


def hosts_of(url: str) -> list[tuple[str | None, int | None]]:
    """Returns the hosts that a URL names with their ports; (None, None) alone if the driver's default decides."""
    parts = _URL.fullmatch(url)
    if parts is None:
        return [(None, None)]
    query = parse_qs(parts["rest"].partition("?")[2])
    given = parts["hosts"] or ",".join(query.get("host", ()))
    if "," not in given:
        return [(None, None)]
    ports = ",".join(query.get("port", ())).split(",")
    hosts: list[tuple[str | None, int | None]] = []
    for place, each in enumerate(given.split(",")):
        name, colon, port = each.rpartition(":")
        if not colon or not port.isdecimal():
            name, port = each, ports[min(place, len(ports) - 1)]
        hosts.append((unquote(name.strip("[]")), int(port) if port.isdecimal() else None))
    return hosts


def password(path: str) -> str:
    """Returns the password of a file, which may change while the daemon runs.

    Raises:
        PasswordUnreadable: the message names the fix.
    """
    try:
        text = WatchedFile(path, PASSWORD_BYTES_MAX, "the password").read().decode("utf-8-sig").strip()
    except FileUnusable as error:
        raise PasswordUnreadable(f"spool.password_file {error}") from error
    except UnicodeDecodeError as error:
        raise PasswordUnreadable(f"spool.password_file {path} is not UTF-8 text; put the password there") from error
    if not text.isprintable():
        raise PasswordUnreadable(f"spool.password_file {path} holds more than a line of text; put the password there")
    return text


def reason_of(error: Exception) -> str:
    """Returns why the database cannot be used, with the fix."""
    if isinstance(error, PasswordUnreadable):
        return str(error)
    if isinstance(error, STATEMENT_LOST):
        return NOT_KEPT
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return f"{error}; a daemon needs {SESSIONS} sessions: raise the limit of the server, the database or the role"
    return f"{describe(error)}; check spool.url, the network and the database's log"


def _set_timeout(connection: asyncpg.Connection, milliseconds: int) -> None:
    """Ends a TCP connection whose bytes are not acknowledged, as a partition leaves it."""
    transport = getattr(connection, "_transport", None)
    raw = transport.get_extra_info("socket") if transport is not None else None
    if raw is not None and raw.family in {socket.AF_INET, socket.AF_INET6}:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
