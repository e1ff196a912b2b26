"""Snapshots of a database, for a program that is not asynchronous."""

import asyncio
from collections.abc import Iterator

import pytest

from database.filled import change, filled, sent
from database.server import server
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.maintenance import DamageReport
from intercomd_daemon.spool.postgresql.maintenance import ROWS_PER_FETCH, PostgresqlMaintenance


@pytest.mark.fills("spool.postgresql.maintenance.ROWS_PER_FETCH")
async def test_snapshot_does_not_change_while_daemons_commit(url: str) -> None:
    spool = await filled(url)
    count = 3 * ROWS_PER_FETCH
    await spool.append([sent(number, "eve") for number in range(10, 10 + count)])

    def ids() -> Iterator[str]:
        with PostgresqlMaintenance().lock(url) as snapshot:
            for exported in snapshot.export(0.0, DamageReport(), dead_letters=False):
                yield exported.envelope.envelope_id

    found = ids()
    first = await asyncio.to_thread(lambda: next(found))
    await change(url, "DELETE FROM log")
    await spool.append([sent(1_000, "eve")])
    rest = await asyncio.to_thread(lambda: list(found))
    assert [first, *rest] == [f"id-{number}" for number in (*range(1, 5), *range(10, 10 + count))]
    await spool.close()


async def test_snapshot_is_read_only(url: str) -> None:
    await (await filled(url)).close()

    def write() -> None:
        with PostgresqlMaintenance().lock(url) as snapshot:
            list(snapshot._snapshot.rows("DELETE FROM log RETURNING key"))

    with pytest.raises(SpoolUnusable, match="read-only transaction"):
        await asyncio.to_thread(write)


async def test_repair_is_refused_with_what_to_do(url: str) -> None:
    await (await filled(url)).close()

    def repair() -> None:
        with PostgresqlMaintenance().lock(url) as snapshot:
            snapshot.repair(0.0)

    with pytest.raises(SpoolUnusable, match="restore a damaged database from its backup"):
        await asyncio.to_thread(repair)


async def test_database_without_a_spool_is_refused() -> None:
    empty = server().url(server().database())

    def verify() -> None:
        with PostgresqlMaintenance().lock(empty) as snapshot:
            snapshot.verify()

    with pytest.raises(SpoolUnusable, match="no daemon has used it"):
        await asyncio.to_thread(verify)
