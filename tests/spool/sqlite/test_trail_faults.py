"""The trail when the file or the disk is at fault: what it finds then, and that nothing is lost.

| Fault | Found | Afterwards |
|---|---|---|
| a row's record is corrupt | all other rows | the deliverer quarantines the row; its outcome is found |
| a page of the fingerprints is corrupt | everything | the file is rebuilt |
| a fingerprint is corrupt in a sound page | all other rows | the row's outcome is found |
| the disk cannot be read | SpoolFull, to be repeated | everything is found once it works |
| the spool closes during a search | ShuttingDown, or everything | |
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from disk.faulty import Disk, Fault, Kind
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import ShuttingDown, SpoolFull
from intercomd_daemon.spool.record import unpack
from intercomd_daemon.spool.rows import Completion, Incoming, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, SqliteSpool, open_spool
from intercomd_daemon.spool.trail import TrailFilter

Make = Callable[..., Incoming]
End = Callable[..., Completion]
ANN = TrailFilter(customer_id="ann")
NOON = 1_750_000_000.0
NAMES = [str(number) for number in range(40)]


@pytest.fixture
def settings(tmp_path: Path) -> SqliteSettings:
    return SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0)


async def filled(settings: SqliteSettings, row: Make) -> None:
    """Fills a spool with rows of ann, the first four of them parked, and closes it."""
    spool = await open_spool(settings)
    keys = await spool.append([row(name) for name in NAMES])
    await spool.park("default", "c:ann", keys[:4], 0.0, 1)
    await spool.close()


async def names(spool: SqliteSpool) -> list[str]:
    rows = await spool.waiting_rows(await spool.find_waiting(ANN, 0, 100))
    return [unpack(each.row.data, AcceptedEnvelope).envelope_id for each in rows]


@pytest.mark.parametrize(
    ("table", "lost"), [("log", "39"), ("log", "20"), ("parked", "0"), ("parked", "3")], ids=lambda value: value
)
@pytest.mark.parametrize("data", [b"", b"\x02\0\0\0\0corrupt"], ids=["empty", "checksum"])
async def test_corrupt_row_is_not_found_and_its_outcome_is(
    settings: SqliteSettings, row: Make, table: str, lost: str, data: bytes
) -> None:
    await filled(settings, row)
    with closing(sqlite3.connect(settings.path)) as database:
        database.execute(f"UPDATE {table} SET data = ? WHERE key & 65535 = ?", (data, int(lost) + 1))  # noqa: S608 - ours
        database.commit()
    spool = await open_spool(settings)
    assert await names(spool) == [name for name in reversed(NAMES) if name != lost]
    if table == "log":
        await spool.read("default", Priority.NORMAL, 0, 100, 1 << 20)
    await spool.parked("default", "c:ann", 0, 100, 1 << 20)
    (found,) = await spool.trail_outcomes(ANN, 0, 10)
    assert (found.outcome.envelope_id, found.outcome.reason) == (lost, "DAMAGED")
    await spool.close()


def corrupt_fingerprints(path: str, offset: int) -> None:
    """Overwrites some bytes of the table's only page."""
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'fingerprints'").fetchone()
    with Path(path).open("r+b") as file:
        file.seek((found[0] - 1) * 4_096 + offset)
        file.write(b"\xff" * 6)


async def test_corrupt_fingerprint_hides_its_row_alone(settings: SqliteSettings, row: Make, ended: End) -> None:
    """It has no checksum: it only leads to the row."""
    await filled(settings, row)
    corrupt_fingerprints(settings.path, 4_090)
    spool = await open_spool(settings, wall=lambda: NOON)
    assert await names(spool) == NAMES[:0:-1]
    (hidden,) = (await spool.parked("default", "c:ann", 0, 1, 1 << 20)).rows
    await spool.settle([Settlement("default", [ended(hidden.key, "0")])])
    (found,) = await spool.trail_outcomes(ANN, 0, 10)
    assert found.outcome.envelope_id == "0"
    await spool.close()


@pytest.mark.parametrize("offset", [0, 2, 8])
@pytest.mark.parametrize("first", ["search", "append"])
async def test_corrupt_page_of_fingerprints_is_rebuilt(
    settings: SqliteSettings, row: Make, offset: int, first: str
) -> None:
    await filled(settings, row)
    corrupt_fingerprints(settings.path, offset)
    spool = await open_spool(settings)
    expected = NAMES[::-1]
    if first == "append":
        await spool.append([row("40")])
        expected = ["40", *expected]
    assert await names(spool) == expected
    await spool.close()


async def test_search_on_a_disk_that_cannot_be_read_is_refused_until_it_can(
    tmp_path: Path, settings: SqliteSettings, row: Make
) -> None:
    await filled(settings, row)
    disk = Disk(tmp_path)
    with below_sqlite(disk):
        spool = await open_spool(settings)
        disk.fail(Fault(Kind.READ))
        for _ in range(3):
            with pytest.raises(SpoolFull, match="the disk refuses") as refused:
                await names(spool)
        assert 1.0 <= refused.value.retry_seconds <= 5.0
        disk.fail(None)
        assert await names(spool) == NAMES[::-1]
        assert spool.usage().full_reason == ""
        await spool.close()


async def test_search_while_the_spool_closes_ends(settings: SqliteSettings, row: Make) -> None:
    await filled(settings, row)
    spool = await open_spool(settings)
    searches = [asyncio.create_task(names(spool)) for _ in range(5)]
    await asyncio.wait(searches, return_when=asyncio.FIRST_COMPLETED)
    await spool.close()
    for result in await asyncio.gather(*searches, return_exceptions=True):
        assert isinstance(result, ShuttingDown) or result == NAMES[::-1]
