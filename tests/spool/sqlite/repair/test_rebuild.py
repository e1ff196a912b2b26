import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.rows import position_of
from intercomd_daemon.spool.sqlite.database import open_for_reading
from intercomd_daemon.spool.sqlite.repair.rebuild import rebuild, repair
from intercomd_daemon.spool.sqlite.repair.verify import verify
from spool import corruption
from spool.corruption import PAGE, Specimen
from spool.filled import Filled, Seen, opened, see
from spool.model import made

Corrupt = Callable[..., None]
NOON = 1_750_000_000.0


async def seen_in(path: Path) -> Seen:
    reports: list[str] = []
    spool = await opened(path, reports)
    seen = await see(spool, reports)
    await spool.close()
    return seen


def whole(seen: Seen, filled: Filled, *, without: int = 0) -> bool:
    """Whether everything is there except `without` waiting rows, and no damage was reported."""
    rows = all(row.data == filled.sent[key].data for key, row in seen.rows.items())
    return rows and len(seen.rows) == len(filled.rows) - without and seen.reports == []


def overwrite(path: Path, *pages: int) -> None:
    content = bytearray(path.read_bytes())
    for page in pages:
        content[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
    path.write_bytes(content)


def forget_free_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[32:40] = bytes(8)
    path.write_bytes(content)


def files_of(kept: str) -> list[bytes]:
    """The file that was kept, and its log if there is one."""
    return [Path(kept + suffix).read_bytes() for suffix in ("", "-wal") if Path(kept + suffix).exists()]


def root_of(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]


async def test_rebuild_of_a_sound_spool_holds_the_same(spool: Path, specimen: Specimen) -> None:
    contents, kept = repair(str(spool), NOON)
    assert files_of(kept) == [specimen.closed[corruption.NAME]]
    assert kept == f"{spool}.damaged-20250615T150640Z"
    assert contents == verify(str(spool)).contents == verify(kept).contents
    seen = await seen_in(spool)
    assert whole(seen, specimen.filled)
    assert {(place, known) for place, known in seen.known.items() if known.contact_id} <= {
        (place, known[-1]) for place, known in specimen.filled.known.items()
    }
    assert [outcome.sequence for outcome in seen.outcomes] == sorted(specimen.filled.outcomes)
    assert set(seen.letters) == specimen.filled.letters
    assert {key: row.progress for key, row in seen.rows.items() if row.progress} == {
        key: progress[-1] for key, progress in specimen.filled.progress.items() if key in specimen.filled.rows
    }


async def test_rebuild_of_a_killed_spool_includes_its_log(specimen: Specimen, tmp_path: Path) -> None:
    path = corruption.put(specimen.left_open, tmp_path)
    _, kept = repair(str(path), NOON)
    assert files_of(kept) == [specimen.left_open[corruption.NAME], specimen.left_open[corruption.LOG]]
    (tmp_path / f"{corruption.NAME}.lock").unlink()
    assert whole(await seen_in(path), specimen.filled)


async def test_rebuild_keeps_commits_behind_a_corrupt_one(specimen: Specimen, tmp_path: Path) -> None:
    """SQLite itself reads up to the bit, and ignores what follows it."""
    log = bytearray(specimen.left_open[corruption.LOG])
    log[len(log) // 3] ^= 1
    path = corruption.put({**specimen.left_open, corruption.LOG: bytes(log)}, tmp_path)
    repair(str(path), NOON)
    (tmp_path / f"{corruption.NAME}.lock").unlink()
    assert whole(await seen_in(path), specimen.filled)


@pytest.mark.parametrize("table", ["log", "parked", "dead_letters", "journal", "counters", "connections", "lanes"])
async def test_rows_are_found_without_the_root_page(spool: Path, specimen: Specimen, table: str) -> None:
    overwrite(spool, root_of(spool, table))
    repair(str(spool), NOON)
    seen = await seen_in(spool)
    assert whole(seen, specimen.filled)
    assert (len(seen.letters), len(seen.outcomes)) == (len(specimen.filled.letters), len(specimen.filled.outcomes))
    assert {seen.connections[key] for key in seen.rows} == {"eu", "us"}


async def test_rows_are_found_without_table_definitions(spool: Path, specimen: Specimen) -> None:
    overwrite(spool, 1)
    repair(str(spool), NOON)
    assert whole(await seen_in(spool), specimen.filled)


async def test_damaged_row_is_left_out_alone(spool: Path, corrupt: Corrupt, specimen: Specimen) -> None:
    corrupt("UPDATE log SET lane = 'c:eve' WHERE key = (SELECT max(key) FROM log)")
    corrupt("UPDATE parked SET connection = 9 WHERE key = (SELECT max(key) FROM parked)")
    contents, _ = repair(str(spool), NOON)
    assert contents[:2] == (len(specimen.filled.rows) - 2, 2)
    assert whole(await seen_in(spool), specimen.filled, without=2)
    assert verify(str(spool)).count == 0


async def test_damaged_envelope_has_an_outcome_if_its_row_identifies_it(
    spool: Path, corrupt: Corrupt, specimen: Specimen
) -> None:
    corrupt("UPDATE log SET data = zeroblob(50) WHERE key = (SELECT max(key) FROM log)")
    corrupt("UPDATE parked SET data = zeroblob(50) WHERE key = (SELECT max(key) FROM parked)")
    corrupt("UPDATE log SET lane = 'c:eve' WHERE key = (SELECT min(key) FROM log)")
    contents, _ = repair(str(spool), NOON)
    assert contents[:2] == (len(specimen.filled.rows) - 3, 3)
    seen = await seen_in(spool)
    missing = {row.envelope_id for key, row in specimen.filled.rows.items() if key not in seen.rows}
    ended = [outcome for outcome in seen.outcomes if outcome.reason == "DAMAGED"]
    assert len(missing) == 3
    assert len({outcome.envelope_id for outcome in ended} & missing) == len(ended) == 2
    assert contents.outcomes == len(seen.outcomes) == len(specimen.filled.outcomes) + 2
    assert verify(str(spool)).count == 0


async def test_settled_rows_do_not_come_back_from_the_pages(spool: Path, specimen: Specimen) -> None:
    overwrite(spool, root_of(spool, "log"), root_of(spool, "parked"))
    forget_free_pages(spool)
    repair(str(spool), NOON)
    assert whole(await seen_in(spool), specimen.filled)


async def test_positions_and_sequences_are_skipped_without_counters(spool: Path) -> None:
    overwrite(spool, root_of(spool, "counters"))
    repair(str(spool), NOON)
    reports: list[str] = []
    again = await opened(spool, reports)
    row = made("eu", Priority.NORMAL, "ann", "new", 0, recognised=True)
    (key,) = await again.append([row])
    await again.close()
    assert position_of(key) > 1 << 36
    assert reports == []


def test_repair_without_room_changes_nothing(spool: Path) -> None:
    (spool.parent / "spool.db.rebuilding").mkdir()  # Prevents the repair, as a full disk would.
    before = {file.name: file.read_bytes() for file in spool.parent.iterdir() if file.is_file()}
    with pytest.raises(OSError, match="rebuilding"):
        repair(str(spool), NOON)
    assert {file.name: file.read_bytes() for file in spool.parent.iterdir() if file.is_file()} == before


def test_rebuilt_file_equals_one_that_a_daemon_creates(spool: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.db"
    target.touch()
    rebuild(str(spool), str(target), NOON)
    with closing(open_for_reading(str(target))) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA page_size").fetchone() == (PAGE,)
        assert database.execute("SELECT name FROM sqlite_schema WHERE name = 'acceptances'").fetchall() == []
