import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from intercomd_daemon.spool.rows import position_of
from intercomd_daemon.spool.sqlite.counters import POSITION_LEAP, SEQUENCE_LEAP, Counters, load_counters
from intercomd_daemon.spool.sqlite.repair.recount import OldCounters, recount
from intercomd_daemon.spool.sqlite.repair.source import SourceFile
from intercomd_daemon.spool.sqlite.repair.tables import CONNECTIONS, COUNTERS, DEAD_LETTERS
from spool.corruption import Specimen

NOON = 1_750_000_000.0


def remembered_of(spool: Path) -> OldCounters:
    old_counters = OldCounters()
    with SourceFile(str(spool)) as source:
        for table in (COUNTERS, CONNECTIONS):
            for row, _ in source.rows(table):
                old_counters.enter(table, row)
    return old_counters


def counted_of(spool: Path) -> Counters:
    with closing(sqlite3.connect(spool, isolation_level=None)) as database:
        return load_counters(database)


def recounted(spool: Path, old_counters: OldCounters) -> tuple[Counters, tuple[int, ...]]:
    """The counters that are counted from the rows, in place of those that are there, as of a new file."""
    with closing(sqlite3.connect(spool, isolation_level=None)) as database:
        database.execute("DELETE FROM connections")
        database.execute("DELETE FROM lanes")
        contents = recount(database, old_counters, NOON)
        return load_counters(database), contents


def test_recount_of_a_sound_spool_equals_its_counters(spool: Path, specimen: Specimen) -> None:
    before = counted_of(spool)
    after, contents = recounted(spool, remembered_of(spool))
    assert after.connections == before.connections
    assert replace(after.spool, generation_ids=0) == replace(before.spool, generation_ids=0)
    filled = specimen.filled
    assert contents == (len(filled.rows), 0, len(filled.letters), len(filled.outcomes))


def test_numbers_are_not_reused_without_counters(spool: Path, specimen: Specimen) -> None:
    known = remembered_of(spool)
    known.spool = None
    after, _ = recounted(spool, known)
    given = max(position_of(key) for key in specimen.filled.sent)
    assert after.spool.position >= POSITION_LEAP > given
    assert after.spool.sequence >= max(specimen.filled.outcomes) + SEQUENCE_LEAP
    assert after.spool.turned_at == NOON


def test_numbers_of_rows_beyond_the_counters_are_not_reused(spool: Path, specimen: Specimen) -> None:
    known = remembered_of(spool)
    assert known.spool is not None
    known.spool = replace(known.spool, position=1, sequence=1, seconds=0)
    after, _ = recounted(spool, known)
    assert after.spool.position >= max(position_of(key) for key in specimen.filled.rows)
    assert after.spool.sequence == max(specimen.filled.outcomes)


def test_recount_parks_the_lanes_of_parked_rows_due_at_once(spool: Path) -> None:
    with closing(sqlite3.connect(spool, isolation_level=None)) as database:
        parked = set(database.execute("SELECT DISTINCT connection, lane FROM parked"))
        assert parked
        database.execute("DELETE FROM lanes")
        recount(database, OldCounters(), NOON)
        lanes = database.execute("SELECT connection, lane, due, oldest FROM lanes").fetchall()
    assert {(connection, lane) for connection, lane, _, _ in lanes} == parked
    assert {due for _, _, due, _ in lanes} == {0.0}


def test_missing_rows_count_as_lost_and_lose_their_progress(spool: Path, specimen: Specimen) -> None:
    known = remembered_of(spool)
    with closing(sqlite3.connect(spool, isolation_level=None)) as database:
        database.execute("DELETE FROM log")
    after, contents = recounted(spool, known)
    with closing(sqlite3.connect(spool)) as database:
        parked = database.execute("SELECT count(*) FROM parked").fetchone()[0]
        left = database.execute("SELECT count(*) FROM progress WHERE key NOT IN (SELECT key FROM parked)").fetchone()
    assert contents[:2] == (parked, len(specimen.filled.rows) - parked)
    assert sum(account.normal + account.bulk for account in after.connections.values()) == parked
    assert left == (0,)


def test_rebuilt_duplicate_window_has_the_ids_of_waiting_rows(spool: Path, specimen: Specimen) -> None:
    known = remembered_of(spool)
    with closing(sqlite3.connect(spool, isolation_level=None)) as database:
        database.execute("DELETE FROM lanes")
        for generation in range(3):
            database.execute(f"DELETE FROM recent_{generation}")  # noqa: S608 - a number
        recount(database, known, NOON)
        ids = database.execute("SELECT count(*) FROM recent_2").fetchone()[0]
        assert load_counters(database).spool.generation_ids == ids == len(specimen.filled.rows)


@pytest.mark.parametrize(
    ("names", "expected"),
    [({}, {1: "eu", 2: "us"}), ({1: "by the index"}, {1: "by the index", 2: "us"})],
    ids=["by an outcome or a letter", "by their index"],
)
def test_recount_finds_the_name_of_a_connection_without_counters(
    spool: Path, names: dict[int, str], expected: dict[int, str]
) -> None:
    after, _ = recounted(spool, OldCounters(names=names))
    assert {number: account.name for number, account in after.connections.items()} == expected


def test_recount_gives_an_unnamed_connection_a_name_that_no_settings_have(spool: Path) -> None:
    """So that nothing of it is delivered to where it does not belong; no settings can name it so."""
    with closing(sqlite3.connect(spool, isolation_level=None)) as database:
        database.execute("DELETE FROM journal")
        database.execute("DELETE FROM dead_letters WHERE connection = 1")
    after, _ = recounted(spool, OldCounters())
    assert {number: account.name for number, account in after.connections.items()} == {1: "?1", 2: "us"}


def test_progress_found_twice_is_the_furthest(spool: Path) -> None:
    known = remembered_of(spool)
    assert known.spool is not None
    older = replace(known.spool, position=1)
    for counters in (older, known.spool, older):
        known.enter(COUNTERS, (*[getattr(counters, name) for name in counters.__struct_fields__], 0))
    assert known.spool.position > 1
    newer = OldCounters()
    newer.update(known)
    newer.update(OldCounters())
    assert (newer.spool, newer.connections) == (known.spool, known.connections)


def test_letters_count_to_their_connection(spool: Path, specimen: Specimen) -> None:
    after, contents = recounted(spool, OldCounters())
    with SourceFile(str(spool)) as source:
        letters = [row[1] for row, _ in source.rows(DEAD_LETTERS)]
    assert [after.connections[number].dead_letters for number in (1, 2)] == [letters.count(1), letters.count(2)]
    assert contents[2] == len(specimen.filled.letters)
