"""A connection's row names its workspace, unless processes with other settings deliver it elsewhere."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from intercomd_daemon.spool.postgresql.assignment import CONTACTS_FORGOTTEN
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool

Open = Callable[..., Awaitable[PostgresqlSpool]]
CONTACTS = CONTACTS_FORGOTTEN + 1


async def test_contacts_are_forgotten_only_when_the_connection_moves(open_daemon: Open, url: str) -> None:
    one, two = await open_daemon(), await open_daemon()
    await one.set_workspaces({"default": "w1"})
    await one.acquire("w1")
    database = await asyncpg.connect(url, server_settings={"search_path": "intercomd"})
    values = "SELECT $1, number::text::bytea, '' FROM generate_series(1, $2) AS number"
    add = f"INSERT INTO contacts (connection, contact_id, data) {values}"
    await database.execute(add, await one.number("default"), CONTACTS)
    assert await two.set_workspaces({"default": "w2"}) == ["default"]
    assert await database.fetchval("SELECT count(*) FROM contacts") == CONTACTS, "the other daemon uses them"
    await one.close()
    await two.acquire("w2")
    assert await database.fetchval("SELECT count(*) FROM contacts") == 0
    assert await database.fetchval("SELECT workspace FROM connections") == "w2"
    await database.close()


async def test_failed_assignment_releases_the_lease(open_daemon: Open, url: str) -> None:
    spool = await open_daemon()
    await spool.set_workspaces({"default": "w"})
    database = await asyncpg.connect(url, server_settings={"search_path": "intercomd"})
    await database.execute("ALTER TABLE connections RENAME TO away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await spool.acquire("w")
    assert await database.fetchval("SELECT incarnation FROM leases") == ""
    await database.execute("ALTER TABLE away RENAME TO connections")
    await database.close()
