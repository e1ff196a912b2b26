"""The disk that other tests trust in: what a power cut leaves on it, and that it finds out who does not sync."""

import random
import sqlite3
import threading
from pathlib import Path

import pytest

from daemons.on_faulty_disk import ControlServer, fail
from disk.faulty import Disk, Fault, Kind, Operation
from disk.power_cut import SECTOR_BYTES, power_cut
from disk.sqlite_vfs import below_sqlite

OLD, NEW = b"o" * 4 * SECTOR_BYTES, b"n" * 4 * SECTOR_BYTES
CREATED = [Operation(Kind.CREATE, "a"), Operation(Kind.SYNC_FOLDER)]
WRITTEN = [*CREATED, Operation(Kind.WRITE, "a", 0, OLD), Operation(Kind.SYNC, "a")]
OVERWRITTEN = [*WRITTEN, Operation(Kind.WRITE, "a", 0, NEW)]
DELETED = [*WRITTEN, Operation(Kind.DELETE, "a")]


def cuts(operations: list[Operation]) -> list[dict[str, bytes]]:
    chance = random.Random(1)  # noqa: S311 - nothing to guess
    return [power_cut(operations, chance) for _ in range(400)]


def test_synced_writes_survive() -> None:
    assert all(cut == {"a": OLD} for cut in cuts(WRITTEN))
    assert all(cut == {"a": NEW} for cut in cuts([*OVERWRITTEN, Operation(Kind.SYNC, "a")]))


def test_unsynced_writes_survive_by_whole_sectors() -> None:
    found = {cut["a"] for cut in cuts(OVERWRITTEN)}
    assert {OLD, NEW} < found
    sectors = [content[start : start + SECTOR_BYTES] for content in found for start in range(0, len(OLD), SECTOR_BYTES)]
    assert set(sectors) == {OLD[:SECTOR_BYTES], NEW[:SECTOR_BYTES]}
    assert len(found) == 2**4


def test_later_write_may_survive_without_an_earlier_one() -> None:
    grown = [*WRITTEN, Operation(Kind.WRITE, "a", len(OLD), NEW), Operation(Kind.WRITE, "a", 2 * len(OLD), NEW)]
    assert OLD + bytes(len(NEW)) + NEW in {cut["a"] for cut in cuts(grown)}


def test_writes_before_a_failed_sync_are_never_durable() -> None:
    failed = [*OVERWRITTEN, Operation(Kind.SYNC, "a", failed=True), Operation(Kind.SYNC, "a")]
    assert {OLD, NEW} < {cut["a"] for cut in cuts(failed)}
    again = [*failed[:-1], Operation(Kind.WRITE, "a", 0, NEW), Operation(Kind.SYNC, "a")]
    assert all(cut == {"a": NEW} for cut in cuts(again))


def test_truncation_is_durable_with_the_next_sync() -> None:
    shorter = [*WRITTEN, Operation(Kind.TRUNCATE, "a", 5)]
    assert {cut["a"] for cut in cuts(shorter)} == {OLD, OLD[:5]}
    assert all(cut == {"a": OLD[:5]} for cut in cuts([*shorter, Operation(Kind.SYNC, "a")]))


def test_file_creation_and_deletion_are_durable_with_their_folder() -> None:
    made = [CREATED[0], Operation(Kind.WRITE, "a", 0, OLD), Operation(Kind.SYNC, "a")]
    assert {tuple(cut) for cut in cuts(made)} == {(), ("a",)}
    assert {tuple(cut) for cut in cuts(DELETED)} == {(), ("a",)}
    assert {tuple(cut) for cut in cuts([*DELETED, Operation(Kind.SYNC_FOLDER)])} == {()}


def test_recreated_file_may_be_the_old_one() -> None:
    again = [*DELETED, CREATED[0], Operation(Kind.WRITE, "a", 0, NEW), Operation(Kind.SYNC, "a")]
    assert {cut.get("a") for cut in cuts(again)} == {OLD, None, NEW}
    assert all(cut == {"a": NEW} for cut in cuts([*again, Operation(Kind.SYNC_FOLDER)]))


def lost(folder: Path, synchronous: str) -> int:
    """After how many power cuts a plain database in WAL mode lacks a row whose commit had returned, or is damaged."""
    disk = Disk(folder)
    with below_sqlite(disk):
        database = sqlite3.connect(folder / "plain.db", isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL").fetchall()
        database.execute(f"PRAGMA synchronous = {synchronous}")
        database.execute("PRAGMA wal_autocheckpoint = 20")
        database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, data BLOB)")
        for number in range(60):
            database.execute("INSERT INTO rows VALUES (?, randomblob(1000))", (number,))
            disk.mark()
        database.close()
    chance = random.Random(1)  # noqa: S311 - nothing to guess
    return sum(not kept(folder / str(cut), disk.operations, chance) for cut in range(60))


def kept(folder: Path, operations: list[Operation], chance: random.Random) -> bool:
    """Whether a database still has what it had when the power was cut."""
    folder.mkdir()
    done = operations[: chance.randrange(len(operations))]
    for name, content in power_cut(done, chance).items():
        (folder / name).write_bytes(content)
    database = sqlite3.connect(folder / "plain.db", isolation_level=None)
    try:
        sound = database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        numbers = {number for (number,) in database.execute("SELECT number FROM rows")}
    except sqlite3.Error:
        sound, numbers = False, set()
    finally:
        database.close()
    promised = set(range(sum(operation.kind is Kind.MARK for operation in done)))
    return not promised or (sound and promised <= numbers)


@pytest.mark.parametrize(("synchronous", "all_kept"), [("OFF", False), ("NORMAL", False), ("FULL", True)])
def test_disk_detects_a_database_that_does_not_sync_each_commit(
    tmp_path: Path, synchronous: str, all_kept: bool
) -> None:
    assert (lost(tmp_path, synchronous) == 0) is all_kept


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (Fault(Kind.WRITE), "SQLITE_IOERR_WRITE"),
        (Fault(Kind.WRITE, full=True), "SQLITE_FULL"),
        (Fault(Kind.SYNC), "SQLITE_IOERR_FSYNC"),
        (Fault(Kind.WRITE, times=1, ending="-wal"), "SQLITE_IOERR_WRITE"),
        (Fault(Kind.OPEN, ending="-wal"), "SQLITE_CANTOPEN"),
    ],
)
def test_calls_fail_as_configured_until_reconfigured(tmp_path: Path, fault: Fault, name: str) -> None:
    disk = Disk(tmp_path)
    with below_sqlite(disk):
        database = sqlite3.connect(tmp_path / "plain.db", isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL").fetchall()
        disk.fail(fault)
        with pytest.raises(sqlite3.OperationalError) as raised:
            database.execute("CREATE TABLE rows (number)")
        assert raised.value.sqlite_errorname == name
        assert disk.failed == 1
        disk.fail(None)
        database.execute("CREATE TABLE rows (number)")
        database.close()


class BrokenDisk(Disk):
    """A disk that cannot be changed."""

    def fail(self, fault: Fault | None) -> None:
        raise ConnectionResetError(fault)


async def test_fault_of_a_daemons_disk_is_confirmed_after_it_is_set(tmp_path: Path) -> None:
    """A confirmation before the change lets the caller's next request meet the old state of the disk."""
    with ControlServer(Disk(tmp_path)) as server:
        threading.Thread(target=server.serve_forever).start()
        await fail(server.address, Fault(Kind.WRITE))
        assert server.disk.refusal(Kind.WRITE, "spool.db") == sqlite3.SQLITE_IOERR_WRITE
        await fail(server.address, None)
        assert server.disk.refusal(Kind.WRITE, "spool.db") == sqlite3.SQLITE_OK
        server.disk = BrokenDisk(tmp_path)
        with pytest.raises(AssertionError, match="did not change"):
            await fail(server.address, None)
        server.shutdown()
