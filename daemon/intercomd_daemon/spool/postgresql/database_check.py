"""Connects to the database as a daemon would, and changes nothing."""

import asyncpg

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.postgresql.connecting import connector, reason_of
from intercomd_daemon.spool.postgresql.pooler import SESSIONS, connect_kept
from intercomd_daemon.spool.postgresql.schema import check, check_creation
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings


async def check_database(url: str, password_file: str) -> str:
    """Returns why a daemon cannot use the database, or create its schema there; empty if it can."""
    try:
        connection = await connect_kept(
            connector(PostgresqlSettings(url=url, password_file=password_file)), sessions=SESSIONS
        )
    except SpoolUnusable as error:
        return str(error)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"the database cannot be reached: {reason_of(error)}"
    try:
        await check(connection)
        await check_creation(connection)
    except SpoolUnusable as error:
        return str(error)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"the database cannot be used: {reason_of(error)}"
    finally:
        connection.terminate()
    return ""
