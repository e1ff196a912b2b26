"""Connects to the database as a daemon would, and changes nothing."""

import asyncpg

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.postgresql.connecting import connector, reason_of
from intercomd_daemon.spool.postgresql.schema import check
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings


async def check_database(url: str, password_file: str) -> str:
    """Returns why a daemon cannot use the database; empty if it can, once it has created its schema."""
    try:
        connection = await connector(PostgresqlSettings(url=url, password_file=password_file))()
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"the database cannot be reached: {reason_of(error)}"
    try:
        await check(connection)
    except SpoolUnusable as error:
        return str(error)
    finally:
        connection.terminate()
    return ""
