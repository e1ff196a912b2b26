"""The spool's state in its own thread: performs operations together in one commit, or where that fails, each alone.

It owns the connection and every cursor: one that is collected elsewhere breaks the next statement.
"""

import sqlite3
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, NamedTuple

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import RetryLater, SpoolFull, SpoolUnusable
from intercomd_daemon.spool.base import LogUsage, Usage
from intercomd_daemon.spool.keys import log_end, log_start
from intercomd_daemon.spool.quota import RETRY_SECONDS
from intercomd_daemon.spool.sqlite import book, journal, ledger, log, schema, window
from intercomd_daemon.spool.sqlite.gate import Gate, is_of_the_disk
from intercomd_daemon.spool.sqlite.lock import Lock
from intercomd_daemon.spool.sqlite.opening import Tell, mend, open_file
from intercomd_daemon.spool.sqlite.queue import Job
from intercomd_daemon.spool.sqlite.settings import SpoolSettings
from intercomd_daemon.spool.sqlite.soundness import is_malformed
from intercomd_daemon.spool.sqlite.transaction import Transaction

_TIME_MAX = 1e11
"""Unix seconds far beyond any clock's: what is not below is damage that has not been met yet."""


class Answer(NamedTuple):
    """What became of a job: a value, an error for its caller, or the wish to be tried again."""

    value: Any = None
    error: Exception | None = None
    again: bool = False


class Performed(NamedTuple):
    """The answers in the order of the jobs, and the logs that have grown."""

    answers: list[Answer]
    grown: set[tuple[str, Priority]]


class Store:
    """An open spool."""

    def __init__(
        self,
        settings: SpoolSettings,
        gate: Gate,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        on_commit: Callable[[int, float], None] | None = None,
        on_damage: Tell = lambda _: None,
        lock: Lock | None = None,
    ) -> None:
        """Opens the file, of which the lock is held; for the calling thread alone, in which it says what was damaged.

        Raises:
            SpoolUnusable: it cannot be used.
        """
        self._settings = settings
        self._gate = gate
        self._wall = wall
        self._monotonic = monotonic
        self._on_commit = on_commit
        self._on_damage = on_damage
        self._lock = lock
        left_open = lock is not None and lock.left_open
        self._database, self._ledger, self.seconds = open_file(settings, wall(), on_damage, left_open=left_open)
        self._stored_at = monotonic()
        self._oldest: dict[int, float] = {}
        self.commits = 0
        """Those that changed something, since the opening."""
        self._look()

    def perform(self, jobs: Sequence[Job]) -> Performed:
        """Performs the jobs in order; when it returns, what they changed is on disk."""
        self._gate.begin(self._monotonic())
        if len(jobs) > 1:
            # Whatever goes wrong undoes all of them, and shows itself again to the one to which it belongs.
            with suppress(Exception):
                return self._commit(jobs)
        return self._one_by_one(jobs)

    def close(self) -> None:
        """Closes the file, its write-ahead log copied back."""
        if self._lock:
            self._lock.closing()
        self._database.close()

    def _one_by_one(self, jobs: Sequence[Job]) -> Performed:
        answers: list[Answer] = []
        grown: set[tuple[str, Priority]] = set()
        for job in jobs:
            if job.kept and any(answer.again for answer in answers):
                answers.append(Answer(again=True))
                continue
            try:
                performed = self._commit_or_mend(job)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is for the caller, who waits for it
                traceback.clear_frames(error.__traceback__)  # They may hold cursors, which must end in this thread.
                answers.append(self._failure(job, error))
            else:
                answers += performed.answers
                grown |= performed.grown
        return Performed(answers, grown)

    def _commit_or_mend(self, job: Job) -> Performed:
        """Performs a job; if it meets damage, once more on what a repair leaves."""
        try:
            return self._commit([job])
        except Exception as error:
            if not is_malformed(error):
                raise
            traceback.clear_frames(error.__traceback__)  # They may hold cursors on what is closed now.
            self._mend(str(error))
        return self._commit([job])

    def _mend(self, damage: str) -> None:
        self._database.close()
        try:
            self._database, self._ledger, _ = mend(self._settings, damage, self._wall(), self._on_damage)
        except SpoolUnusable as error:
            self._database = schema.open_database(self._settings.path, self._wall())
            raise SpoolFull(str(error), RETRY_SECONDS) from error
        self._look()

    def _failure(self, job: Job, error: Exception) -> Answer:
        if not isinstance(error, sqlite3.Error):
            return Answer(error=error, again=job.kept and isinstance(error, SpoolFull))
        told: Exception
        if not is_of_the_disk(error):
            told = SpoolUnusable(f"{self._settings.path} is damaged or misused: {error}; see `intercomd spool verify`")
        elif job.append_bytes or job.kept:
            told = self._gate.failed(error) if job.append_bytes else self._gate.stuck(error)
            self._show()
        else:
            told = SpoolFull(f"the disk refuses: {error}", RETRY_SECONDS)
        told.__cause__ = error
        return Answer(error=told, again=job.kept and isinstance(told, SpoolFull))

    def _commit(self, jobs: Sequence[Job]) -> Performed:
        before = self._ledger
        transaction = Transaction(self._database, before.copy(), self._wall(), self._monotonic())
        changes = self._database.total_changes
        self._database.execute("BEGIN")
        try:
            answers = _answers(transaction, jobs)
            changed = self._database.total_changes != changes or transaction.ledger.differs(before)
            if changed:
                self._keep_house(transaction)
                ledger.store(self._database, transaction.ledger, before)
            oldest = self._oldest | self._moved_heads(transaction, before)
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        if changed:
            # From here on nothing may fail: what is on disk would be taken for undone, and done again.
            self._oldest = oldest
            self._note_commit(transaction, self._database.total_changes - changes)
        elif self._gate.reason or any(answer.error for answer in answers):
            self._gate.went_on()
            self._show()
        return Performed(answers, transaction.grown)

    def _keep_house(self, transaction: Transaction) -> None:
        """What is bounded stays so, a little at each commit."""
        transaction.ledger.counters.commits += 1
        transaction.ledger.counters.elapsed_seconds += transaction.monotonic - self._stored_at
        window.keep(transaction, self._settings.duplicate_window_seconds)
        journal.trim(transaction, self._settings.outcomes_max)
        book.evict(transaction)

    def _moved_heads(self, transaction: Transaction, before: ledger.Ledger) -> dict[int, float]:
        """When the oldest row of each connection was accepted for which that may have changed."""
        return {
            number: self._head(account)
            for number, account in transaction.ledger.accounts.items()
            # Appending to what waits already moves no head.
            if account != before.accounts.get(number) and (transaction.heads_moved or not self._oldest.get(number))
        }

    def _note_commit(self, transaction: Transaction, rows: int) -> None:
        self.commits += 1
        if self._on_commit is not None:
            self._on_commit(rows, self._monotonic() - transaction.monotonic)
        self._stored_at = transaction.monotonic
        self._ledger = transaction.ledger
        for damage in transaction.damages:
            self._on_damage(damage)
        self._gate.committed(self._ledger, grown=bool(transaction.grown))
        self._show()
        self.paused = self._paused()

    def _show(self) -> None:
        """What anybody may see of the counters and the gate; whoever is told that the gate has changed sees it so."""
        self.usage = self._usage()
        self._gate.tell()

    def _look(self) -> None:
        """Sees what the counters say."""
        self._oldest = {number: self._head(account) for number, account in self._ledger.accounts.items()}
        self.usage = self._usage()
        self.paused = self._paused()

    def _head(self, account: ledger.Account) -> float:
        """When the oldest waiting row was accepted, by the heads of the logs and of the parked lanes; 0.0: none."""
        found: list[float] = []
        for priority, rows in ((Priority.NORMAL, account.normal), (Priority.BULK, account.bulk)):
            if rows:
                found += self._column(
                    "SELECT accept_time FROM log WHERE key > ? AND key < ? ORDER BY key LIMIT 1",
                    (log_start(account.number, priority), log_end(account.number, priority)),
                )
        if account.parked_lanes:
            statement = "SELECT oldest FROM lanes WHERE connection = ? ORDER BY oldest LIMIT 1"
            found += self._column(statement, (account.number,))
        return min(found, default=0.0)

    def _column(self, statement: str, values: tuple[int, ...]) -> list[float]:
        found = self._database.execute(statement, values).fetchall()
        return [row[0] for row in found if isinstance(row[0], float) and 0.0 <= row[0] < _TIME_MAX]

    def _usage(self) -> Usage:
        accounts = self._ledger.accounts.values()
        return Usage(
            {
                account.name: LogUsage(
                    normal=account.normal,
                    bulk=account.bulk,
                    parked_lanes=account.parked_lanes,
                    dead_letters=account.dead_letters,
                    bytes=account.bytes,
                    oldest_accept_time=self._oldest[account.number] if account.normal or account.bulk else 0.0,
                )
                for account in accounts
            },
            sum(account.bytes for account in accounts),
            self._settings.bytes_max,
            self._gate.reason,
        )

    def _paused(self) -> frozenset[str]:
        return frozenset(account.name for account in self._ledger.accounts.values() if account.paused)


def _answers(transaction: Transaction, jobs: Sequence[Job]) -> list[Answer]:
    """Performs the jobs in order; appends that follow each other, together."""
    answers: list[Answer] = []
    for _, alike in groupby(jobs, key=lambda job: isinstance(job.run, log.Append)):
        group = list(alike)
        appends = [job.run for job in group if isinstance(job.run, log.Append)]
        if appends:
            answers += map(_appended, log.append_together(transaction, appends))
        else:
            answers += [_answer(transaction, job) for job in group]
    return answers


def _appended(keys: list[int] | RetryLater) -> Answer:
    return Answer(error=keys) if isinstance(keys, RetryLater) else Answer(keys)


def _answer(transaction: Transaction, job: Job) -> Answer:
    try:
        return Answer(job.run(transaction))
    except RetryLater as refusal:  # It refused before it wrote anything; the others go on.
        return Answer(error=refusal)
