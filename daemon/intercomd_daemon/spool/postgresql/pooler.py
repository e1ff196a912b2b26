"""Finds poolers that give each transaction another session of the database.

With such a pooler settings of a session, prepared statements and LISTEN reach a session that another client may get,
and commits may be less durable than promised. Connecting and single statements work, so this must be looked for.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from intercomd_daemon.errors import SpoolUnusable

Connect = Callable[[], Awaitable[asyncpg.Connection]]
Fetch = Callable[[str], Awaitable[Any]]
SESSIONS = 4
"""Of a daemon."""
ROUNDS = 3
"""While other clients use the pooler, a session may be the same one again by chance."""
NOT_KEPT = (
    "a pooler between the daemon and the database does not keep sessions:"
    " set its pool_mode to session, or connect to the database directly"
)
STATEMENT_LOST = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)
"""What the database reports when a pooler has sent parts of a prepared statement to several sessions."""


async def check_sessions_are_kept(sessions: Sequence[Fetch]) -> None:
    """Checks that each of several open connections has a session of the database to itself.

    Args:
        sessions: what fetches the first value of a statement, for each connection.

    Raises:
        SpoolUnusable: a pooler shares sessions between connections.
        asyncpg.PostgresError: the same, with one of `STATEMENT_LOST`, or the database refuses the statement.
    """
    found = [[await fetch("SELECT pg_backend_pid()") for fetch in sessions] for _ in range(ROUNDS)]
    if len(set(found[0])) < len(sessions) or any(each != found[0] for each in found):
        raise SpoolUnusable(NOT_KEPT)


async def connect_kept(connect: Connect, sessions: int = 2) -> asyncpg.Connection:
    """Returns a new connection, after checking that each of several has a session of the database to itself.

    Raises:
        SpoolUnusable: a pooler shares sessions between connections.
    """
    async with AsyncExitStack() as opened:
        connections = []
        for _ in range(sessions):
            connections.append(await connect())
            opened.callback(connections[-1].terminate)
        await check_sessions_are_kept([each.fetchval for each in connections])
        for other in connections[1:]:
            other.terminate()
        opened.pop_all()
        return connections[0]
