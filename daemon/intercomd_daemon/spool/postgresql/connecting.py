"""Opens connections with the settings that every session of the spool needs."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from intercomd_daemon.spool.postgresql.session import CONNECT_SECONDS, within
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings

STATEMENT_SECONDS = 30
"""The server ends a statement after this time, whatever has become of the daemon."""
LOCK_SECONDS = 5


def connector(settings: PostgresqlSettings) -> Callable[[], Awaitable[asyncpg.Connection]]:
    """Returns what opens a connection."""
    lease = max(1, int(settings.lease_seconds))
    server_settings = {
        "application_name": f"intercomd {settings.daemon_id}".strip(),
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
    }

    async def connect() -> asyncpg.Connection:
        connection = await asyncpg.connect(
            settings.url,
            password=password(settings.password_file) if settings.password_file else None,
            server_settings=server_settings,
            timeout=CONNECT_SECONDS,
            target_session_attrs=SessionAttribute.read_write,
        )
        _set_timeout(connection, lease * 1000)
        await within(CONNECT_SECONDS, connection, _force_durability)
        return connection

    return connect


async def _force_durability(connection: asyncpg.Connection) -> None:
    if await connection.fetchval("SHOW synchronous_commit") not in {"on", "remote_apply"}:
        await connection.execute("SET synchronous_commit = on")


def password(path: str) -> str:
    """Returns the password of a file, which may change while the daemon runs."""
    return Path(path).read_text().strip()


def _set_timeout(connection: asyncpg.Connection, milliseconds: int) -> None:
    """Ends a TCP connection whose bytes are not acknowledged, as a partition leaves it."""
    transport = getattr(connection, "_transport", None)
    raw = transport.get_extra_info("socket") if transport is not None else None
    if raw is not None and raw.family in {socket.AF_INET, socket.AF_INET6}:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
