import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from disk.faulty import Disk, Fault, Kind
from disk.sqlite_vfs import below_sqlite
from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolFull, SpoolUnusable
from intercomd_daemon.spool.quota import Quota
from intercomd_daemon.spool.rows import Completion, Incoming, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, log, parked_lanes, settle
from intercomd_daemon.spool.sqlite.admission import Admission
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.job_queue import Job
from intercomd_daemon.spool.sqlite.store import Store
from intercomd_daemon.spool.sqlite.transaction import DatabaseOperation, Transaction

Make = Callable[..., Incoming]


class Bench:
    """A store, and jobs for it whose futures are not awaited."""

    def __init__(self, path: Path, clock: SimpleNamespace) -> None:
        settings = SqliteSettings(str(path), free_bytes_min=0, bytes_max=1 << 20, connections=("eu",))
        self.admission = Admission(
            settings.path, Quota(settings.bytes_max, settings.connections), settings.free_bytes_min
        )
        self.reports: list[str] = []
        self.store = Store(
            settings, self.admission, lambda: clock.wall, lambda: clock.monotonic, on_damage=self.reports.append
        )

    def perform(self, *operations: DatabaseOperation[object] | Job) -> list[object]:
        jobs = [each if isinstance(each, Job) else job(each) for each in operations]
        return [result.error or result.value for result in self.store.perform(jobs).results]

    def append(self, *rows: Incoming) -> Job:
        return job(partial(log.append, rows=rows, admit=self.admission.admit), append_bytes=1)


def job(run: DatabaseOperation[object], **fields: object) -> Job:
    return Job(run, SimpleNamespace(), **fields)


@pytest.fixture
def bench(tmp_path: Path, clock: SimpleNamespace) -> Iterator[Bench]:
    made = Bench(tmp_path / "spool.db", clock)
    yield made
    made.store.close()


def broken(transaction: Transaction) -> None:
    """Writes, and fails."""
    transaction.counters.connection("written").paused = 1
    transaction.database.execute("INSERT INTO damaged (place, key, lane, reason) VALUES ('log', 1, '', '')")
    raise ValueError("a fault of the operation")


def damaged_rows(transaction: Transaction) -> int:
    return int(transaction.database.execute("SELECT count(*) FROM damaged").fetchone()[0])


def test_operations_share_a_commit(bench: Bench, row: Make) -> None:
    results = bench.perform(*(bench.append(row(str(number), connection="eu")) for number in range(5)))
    assert all(results)
    assert bench.store.commits == 1
    assert bench.store.usage.connections["eu"].normal == 5


def test_reading_makes_no_commit(bench: Bench) -> None:
    assert bench.perform(damaged_rows) == [0]
    assert bench.store.commits == 0


def test_failed_operation_rolls_back_alone(bench: Bench, row: Make) -> None:
    results = bench.perform(
        bench.append(row("1", connection="eu")), broken, bench.append(row("2", connection="eu")), damaged_rows
    )
    assert isinstance(results[1], ValueError)
    assert results[3] == 0
    usage = bench.store.usage
    assert (usage.connections["eu"].normal, set(usage.connections)) == (2, {"eu"})
    assert bench.store.paused == frozenset()


def test_refused_operation_does_not_stop_the_commit(bench: Bench, row: Make) -> None:
    huge = bench.append(row("huge", connection="eu", size=2 << 20))
    results = bench.perform(bench.append(row("1", connection="eu")), huge, bench.append(row("2", connection="eu")))
    assert isinstance(results[1], SpoolFull)
    assert bench.store.commits == 1
    assert bench.store.usage.connections["eu"].normal == 2


def test_refused_append_shows_in_the_usage_at_once(bench: Bench, row: Make) -> None:
    bench.perform(bench.append(row("huge", connection="eu", size=2 << 20)))
    assert "quota" in bench.store.usage.full_reason


def test_other_sqlite_error_is_reported_as_a_corrupt_file(bench: Bench) -> None:
    (result,) = bench.perform(lambda transaction: transaction.database.execute("SELECT * FROM nowhere"))
    assert isinstance(result, SpoolUnusable)
    assert "no such table: nowhere" in str(result)
    assert isinstance(result.__cause__, sqlite3.Error)


def test_no_frame_of_a_failed_operation_holds_its_cursors(bench: Bench) -> None:
    def failing(transaction: Transaction) -> None:
        cursor = transaction.database.execute("SELECT * FROM counters")
        raise ValueError(str(cursor))

    (result,) = bench.perform(failing)
    frames = []
    place = result.__traceback__
    while place:
        frames.append(place.tb_frame)
        place = place.tb_next
    assert not any(isinstance(value, sqlite3.Cursor) for frame in frames for value in frame.f_locals.values())


def test_settlements_behind_a_refused_one_are_not_tried(
    bench: Bench, row: Make, ended: Callable[..., Completion]
) -> None:
    def full(transaction: Transaction) -> None:
        transaction.database.execute("PRAGMA max_page_count = 1")
        transaction.database.execute(
            "INSERT INTO damaged (place, key, lane, reason) VALUES ('', 1, '', hex(zeroblob(9000)))"
        )

    def repaired(transaction: Transaction) -> None:
        transaction.database.execute("PRAGMA max_page_count = 1000000")

    ((key,),) = bench.perform(bench.append(row("1", connection="eu")))
    end = job(partial(settle.settle, settlements=[Settlement("eu", [ended(key, "1", connection="eu")])]), retried=True)
    results = bench.store.perform([job(full, retried=True), job(repaired), end]).results
    assert [result.retry for result in results] == [True, False, True]
    assert bench.store.usage.connections["eu"].normal == 1
    assert [outcome.envelope_id for outcome in bench.perform(end)[0]] == ["1"]


def test_commit_is_announced_before_it_begins(bench: Bench, row: Make) -> None:
    commits: list[int] = []
    bench.store.perform([bench.append(row("1", connection="eu"))], lambda: commits.append(bench.store.commits))
    assert (commits, bench.store.commits) == ([0], 1)


def test_operation_that_fails_before_its_commit_announces_none(bench: Bench) -> None:
    commits: list[int] = []
    bench.store.perform([job(broken)], lambda: commits.append(bench.store.commits))
    assert commits == []


def test_repair_is_announced_before_it_begins(bench: Bench) -> None:
    announced: list[list[str]] = []

    def corrupt(_transaction: Transaction) -> None:
        raise SpoolCorrupt("the log ends before its last row")

    bench.store.perform([job(corrupt)], lambda: announced.append(list(bench.reports)))
    assert announced == [[]]
    assert bench.reports


def test_commit_reports_the_logs_that_grew(bench: Bench, row: Make) -> None:
    performed = bench.store.perform([bench.append(row("1", connection="eu", priority=Priority.BULK))])
    assert performed.grown == {("eu", Priority.BULK)}
    assert bench.store.perform([bench.append(row("1", connection="eu"))]).grown == set()


def test_window_ages_only_while_the_spool_is_open(tmp_path: Path, clock: SimpleNamespace, row: Make) -> None:
    for name in ("1", "2"):
        bench = Bench(tmp_path / "spool.db", clock)
        clock.monotonic += 40.0
        bench.perform(bench.append(row(name, connection="eu")))
        bench.store.close()
        clock.monotonic += 1_000.0
    bench = Bench(tmp_path / "spool.db", clock)
    (elapsed,) = bench.perform(lambda transaction: transaction.counters.spool.elapsed_seconds)
    bench.store.close()
    assert elapsed == 80.0


def corrupt(transaction: Transaction) -> None:
    """Whose the first row of the log is, can no more be said."""
    transaction.database.execute("UPDATE log SET lane = 'c:eve' WHERE key = (SELECT min(key) FROM log)")


def read(transaction: Transaction) -> list[int]:
    return [each.key for each in log.read(transaction, "eu", Priority.NORMAL, 0, 100, 1 << 20).rows]


def test_operation_that_meets_corruption_is_performed_after_the_repair(bench: Bench, row: Make, tmp_path: Path) -> None:
    ((_, *others),) = bench.perform(bench.append(*(row(str(number), connection="eu") for number in range(3))))
    bench.perform(corrupt)
    first, found, last = bench.perform(bench.append(row("4", connection="eu")), read, damaged_rows)
    assert (found, last) == ([*others, *first], 0)
    assert bench.store.usage.connections["eu"].normal == 3
    assert len(bench.reports) == 1
    assert "3 envelopes wait, 1 that waited are lost" in bench.reports[0]
    assert len(list(tmp_path.glob("spool.db.damaged-*"))) == 1


def test_repair_without_room_is_retried_while_the_rest_goes_on(bench: Bench, row: Make, tmp_path: Path) -> None:
    bench.perform(bench.append(*(row(str(number), connection="eu") for number in range(2))))
    bench.perform(corrupt)
    in_the_way = tmp_path / "spool.db.rebuilding"
    in_the_way.mkdir()
    (result,) = bench.store.perform([job(read, retried=True)]).results
    assert isinstance(result.error, SpoolFull)
    assert result.retry
    ((key,),) = bench.perform(bench.append(row("3", connection="eu")))
    in_the_way.rmdir()
    assert bench.perform(read)[0][-1] == key
    assert len(bench.reports) == 1


@pytest.mark.parametrize("after", range(16))
def test_failed_read_is_repeated_without_doubling_anything(
    tmp_path: Path, clock: SimpleNamespace, row: Make, after: int
) -> None:
    """No page is in memory, so that the oldest row must be read from the disk, for its age."""
    disk = Disk(tmp_path)
    with below_sqlite(disk):
        bench = Bench(tmp_path / "spool.db", clock)
        bench.perform(bench.append(*(row(str(number), connection="eu", size=1_500) for number in range(20))))
        bench.perform(lambda transaction: transaction.database.execute("PRAGMA shrink_memory").fetchall())
        disk.fail(Fault(Kind.READ, after=after, times=1))
        park = job(
            partial(parked_lanes.park, connection="eu", lane="c:bob", keys=[], due=1.0, attempts=0), retried=True
        )
        nameless = bench.append(row("", connection="eu", priority=Priority.BULK, recognised=False))
        bench.store.perform([nameless, park])
        bench.store.perform([park])
        assert bench.store.usage.connections["eu"].bulk == 1
        bench.store.close()


def test_commit_reads_the_journal_only_when_outcomes_may_have_expired(
    bench: Bench, row: Make, ended: Callable[..., Completion], clock: SimpleNamespace
) -> None:
    """Not while it is empty, nor again within a second: finding what has expired takes more than the commit."""
    statements: list[str] = []
    bench.store._database.set_trace_callback(statements.append)

    def reads_of(*operations: DatabaseOperation[object] | Job) -> int:
        statements.clear()
        bench.perform(*operations)
        return sum("SELECT" in each and "journal" in each for each in statements)

    assert reads_of(bench.append(row("a", connection="eu"))) == 0
    (keys,) = bench.perform(bench.append(row("b", connection="eu"), row("c", connection="eu")))
    end = ended(keys[0], "b")
    finish = partial(settle.settle, settlements=[Settlement("eu", [end])], has_room=lambda *_: True)
    assert reads_of(job(finish)) > 0
    assert reads_of(bench.append(row("d", connection="eu"))) == 0
    clock.wall = end.outcome.end_time + 3 * 86_400.0 + 0.5
    assert reads_of(bench.append(row("e", connection="eu"))) == 0
    clock.wall += 1.0
    assert reads_of(bench.append(row("f", connection="eu"))) > 0
    assert reads_of(bench.append(row("g", connection="eu"))) == 0
