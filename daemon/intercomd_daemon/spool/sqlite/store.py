"""The open spool inside the writer's thread: commits operations together, or where that fails, one by one.

It owns the database connection and every cursor; a cursor that is collected in another thread breaks the next
statement.
"""

import sqlite3
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, NamedTuple

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import RetryLater, SpoolFull, SpoolUnusable
from intercomd_daemon.spool.keys import log_end, log_start
from intercomd_daemon.spool.quota import RETRY_SECONDS
from intercomd_daemon.spool.rows import LogUsage, Usage
from intercomd_daemon.spool.sqlite import contact_cache, duplicate_window, journal, log, refusals
from intercomd_daemon.spool.sqlite.admission import Admission, is_disk_error
from intercomd_daemon.spool.sqlite.corruption import is_corruption
from intercomd_daemon.spool.sqlite.counters import ConnectionCounters, Counters, store_counters
from intercomd_daemon.spool.sqlite.database import open_database
from intercomd_daemon.spool.sqlite.job_queue import Job
from intercomd_daemon.spool.sqlite.lock import Lock
from intercomd_daemon.spool.sqlite.opening import OnDamage, open_file, repair_and_open
from intercomd_daemon.spool.sqlite.settings import SqliteSettings
from intercomd_daemon.spool.sqlite.transaction import Transaction

_EXPIRY_SECONDS = 1.0
"""Outcomes that expire within this time are deleted together: finding them takes more statements than a commit."""
_TIME_MAX = 1e11
"""Unix seconds far beyond any clock's; a stored time above it is corrupt."""


class JobResult(NamedTuple):
    """A value or an error for the caller, or the request to try the job again."""

    value: Any = None
    error: Exception | None = None
    retry: bool = False


class CommitResult(NamedTuple):
    """The results in the order of the jobs, and the logs that grew."""

    results: list[JobResult]
    grown: set[tuple[str, Priority]]


class Store:
    """An open spool."""

    def __init__(
        self,
        settings: SqliteSettings,
        admission: Admission,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        on_commit: Callable[[int, float], None] | None = None,
        on_damage: OnDamage = lambda _: None,
        lock: Lock | None = None,
    ) -> None:
        """Opens the file, whose lock the caller holds, for the calling thread alone.

        `on_commit` and `on_damage` are called in that thread.

        Raises:
            SpoolUnusable: the file cannot be used.
        """
        self._settings = settings
        self._admission = admission
        self._wall = wall
        self._monotonic = monotonic
        self._on_commit = on_commit
        self._on_damage = on_damage
        self._lock = lock
        left_open = lock is not None and lock.left_open
        opened = open_file(settings, wall(), on_damage, left_open=left_open)
        self._database, self._counters, self.seconds, self._spool_id = opened
        admission.opened()
        self.refusals = refusals.load(self._database)
        """Those that the last run saved."""
        self._before_commit: Callable[[], None] = lambda: None
        self._stored_at = monotonic()
        self._journal_start = 0.0
        """The journal holds no outcome that ended earlier (Unix seconds)."""
        self._oldest: dict[int, float] = {}
        """When the oldest waiting row of each connection was accepted."""
        self.commits = 0
        """Commits since the opening that changed something."""
        self._publish_counters()

    def perform(self, jobs: Sequence[Job], before_commit: Callable[[], None] = lambda: None) -> CommitResult:
        """Performs the jobs in order; what they changed is on disk when it returns.

        `before_commit` is called before each COMMIT and before a repair: what may take long without the interpreter.
        """
        self._before_commit = before_commit
        self._admission.begin(self._monotonic())
        if len(jobs) > 1:
            # One commit for all. Whatever goes wrong rolls back every job, and shows itself again below, to the job
            # that it belongs to.
            with suppress(Exception):
                return self._commit(jobs)
        return self._commit_one_by_one(jobs)

    def close(self) -> None:
        """Closes the file, its write-ahead log copied back."""
        if self._lock:
            self._lock.closing()
        self._database.close()

    def _commit_one_by_one(self, jobs: Sequence[Job]) -> CommitResult:
        results: list[JobResult] = []
        grown: set[tuple[str, Priority]] = set()
        for job in jobs:
            # The deliverer's operations keep their order: behind one that is to be retried, none is tried.
            if job.retried and any(result.retry for result in results):
                results.append(JobResult(retry=True))
                continue
            try:
                commit = self._commit_or_repair(job)
            except Exception as error:  # noqa: BLE001 - the caller waits for it and raises it
                traceback.clear_frames(error.__traceback__)  # They may hold cursors, which must end in this thread.
                results.append(self._failure(job, error))
            else:
                results += commit.results
                grown |= commit.grown
        return CommitResult(results, grown)

    def _commit_or_repair(self, job: Job) -> CommitResult:
        """Performs a job; if it meets corruption, repairs the file and performs the job once more on that."""
        try:
            return self._commit([job])
        except Exception as error:
            if not is_corruption(error):
                raise
            traceback.clear_frames(error.__traceback__)  # They may hold cursors on what is about to be closed.
            self._repair(str(error))
        return self._commit([job])

    def _repair(self, damage: str) -> None:
        self._before_commit()
        self._database.close()
        try:
            repaired = repair_and_open(self._settings, damage, self._wall(), self._on_damage)
            self._database, self._counters, _, self._spool_id = repaired
        except SpoolUnusable as error:
            self._database = open_database(self._settings.path, self._wall())
            raise SpoolFull(str(error), RETRY_SECONDS) from error
        finally:
            self._admission.opened()
        self._publish_counters()

    def _failure(self, job: Job, error: Exception) -> JobResult:
        """Turns an error into what the caller gets: a retry while the disk refuses, else an error with its remedy."""
        if not isinstance(error, sqlite3.Error):
            return JobResult(error=error, retry=job.retried and isinstance(error, SpoolFull))
        raised: Exception
        if not is_disk_error(error):
            raised = SpoolUnusable(
                f"{self._settings.path} is corrupt or misused: {error}; see `intercomd spool verify`"
            )
        elif job.append_bytes:
            raised = self._admission.append_failed(error)
            self._publish()
        elif job.retried:
            raised = self._admission.delivery_failed(error)
            self._publish()
        else:
            raised = SpoolFull(f"the disk refuses: {error}", RETRY_SECONDS)
        raised.__cause__ = error
        return JobResult(error=raised, retry=job.retried and isinstance(raised, SpoolFull))

    def _commit(self, jobs: Sequence[Job]) -> CommitResult:
        """Performs the jobs in one transaction.

        The order matters:

        1. The operations run on a copy of the counters, so that a rollback leaves the old ones in force.
        2. Only if rows or counters changed, or outcomes expired, the bounded tables are trimmed and the counters
           stored, in the same transaction. A transaction that only read ends without a sync.
        3. The new heads of the logs are read before COMMIT, as reading may fail.
        4. COMMIT syncs. Nothing after it may fail: what is on disk would be taken for rolled back and done again.
        5. The counters in memory are replaced, then published; the writer wakes the callers last.
        """
        before = self._counters
        now = self._wall()
        outcomes_from = now - self._settings.outcomes_kept_seconds
        monotonic = self._monotonic()
        transaction = Transaction(self._database, before.copy(), now, monotonic, outcomes_from)
        changes = self._database.total_changes
        self._database.execute("BEGIN")
        try:
            results = _perform(transaction, jobs)
            changed = self._database.total_changes != changes or transaction.counters.differs(before)
            changed = changed or transaction.trims
            if changed:
                self._keep_bounds(transaction)
                store_counters(self._database, transaction.counters, before)
            oldest = self._oldest | self._moved_heads(transaction, before)
            self._before_commit()
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            self._journal_start = 0.0  # What this transaction deleted is there again.
            raise
        if changed:
            self._oldest = oldest
            self._committed(transaction, self._database.total_changes - changes)
        elif self._admission.reason or any(result.error for result in results):
            self._admission.disk_works()
            self._publish()
        return CommitResult(results, transaction.grown)

    def _keep_bounds(self, transaction: Transaction) -> None:
        """Trims what is bounded, a little at each commit."""
        transaction.counters.spool.commits += 1
        transaction.counters.spool.elapsed_seconds += transaction.monotonic - self._stored_at
        duplicate_window.rotate(transaction, self._settings.duplicate_window_seconds)
        trimmed = journal.trim(transaction, self._settings.outcomes_max)
        expires = (
            self._journal_start < transaction.outcomes_from - _EXPIRY_SECONDS and transaction.counters.spool.outcomes
        )
        if transaction.trims or expires:
            self._journal_start = journal.expire(transaction, journal.TRIMMED_PER_COMMIT - trimmed)
        contact_cache.evict(transaction)

    def _committed(self, transaction: Transaction, rows: int) -> None:
        self.commits += 1
        if self._on_commit is not None:
            self._on_commit(rows, self._monotonic() - transaction.monotonic)
        self._stored_at = transaction.monotonic
        self._counters = transaction.counters
        for damage in transaction.damages:
            self._on_damage(damage)
        self._admission.committed(self._counters, grown=bool(transaction.grown))
        self._publish()
        self.paused = self._paused()

    def _publish_counters(self) -> None:
        """Publishes counters that were just loaded."""
        self._oldest = {number: self._head(each) for number, each in self._counters.connections.items()}
        self.usage = self._usage()
        self.paused = self._paused()

    def _publish(self) -> None:
        """Publishes the usage, and after it the news of the admission: its listener finds the usage up to date."""
        self.usage = self._usage()
        self._admission.report_change()

    def _moved_heads(self, transaction: Transaction, before: Counters) -> dict[int, float]:
        """Reads the new heads of the connections whose oldest row may have changed."""
        return {
            number: self._head(each)
            for number, each in transaction.counters.connections.items()
            # Appending behind a row that waits already moves no head.
            if each != before.connections.get(number) and (transaction.heads_moved or not self._oldest.get(number))
        }

    def _head(self, connection: ConnectionCounters) -> float:
        """Returns when the oldest row at the head of a log or a parked lane was accepted; 0.0: none waits."""
        times: list[float] = []
        for priority, rows in ((Priority.NORMAL, connection.normal), (Priority.BULK, connection.bulk)):
            if rows:
                times += self._times(
                    "SELECT accept_time FROM log WHERE key > ? AND key < ? ORDER BY key LIMIT 1",
                    (log_start(connection.number, priority), log_end(connection.number, priority)),
                )
        if connection.parked_lanes:
            statement = "SELECT oldest FROM lanes WHERE connection = ? ORDER BY oldest LIMIT 1"
            times += self._times(statement, (connection.number,))
        return min(times, default=0.0)

    def _times(self, statement: str, values: tuple[int, ...]) -> list[float]:
        found = self._database.execute(statement, values).fetchall()
        return [row[0] for row in found if isinstance(row[0], float) and 0.0 <= row[0] < _TIME_MAX]

    def _usage(self) -> Usage:
        connections = self._counters.connections.values()
        return Usage(
            {
                each.name: LogUsage(
                    normal=each.normal,
                    bulk=each.bulk,
                    parked_lanes=each.parked_lanes,
                    dead_letters=each.dead_letters,
                    bytes=each.bytes,
                    oldest_accept_time=self._oldest[each.number] if each.normal or each.bulk else 0.0,
                )
                for each in connections
            },
            sum(each.bytes for each in connections),
            self._settings.bytes_max,
            self._admission.reason,
            self._spool_id,
        )

    def _paused(self) -> frozenset[str]:
        return frozenset(each.name for each in self._counters.connections.values() if each.paused)


def _perform(transaction: Transaction, jobs: Sequence[Job]) -> list[JobResult]:
    """Performs the jobs in order; consecutive appends become one."""
    results: list[JobResult] = []
    for _, alike in groupby(jobs, key=lambda job: isinstance(job.run, log.Append)):
        group = list(alike)
        appends = [job.run for job in group if isinstance(job.run, log.Append)]
        if appends:
            appended = log.append_together(transaction, appends)
            results += [JobResult(error=keys) if isinstance(keys, RetryLater) else JobResult(keys) for keys in appended]
            continue
        for job in group:
            try:
                results.append(JobResult(job.run(transaction)))
            except RetryLater as refusal:  # The operation refused before it wrote anything: the others continue.
                results.append(JobResult(error=refusal))
    return results
