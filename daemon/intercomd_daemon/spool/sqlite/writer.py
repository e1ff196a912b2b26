"""The writer's thread: takes everything that waits, has the store commit it, and wakes the callers once per commit.

While one commit syncs, the next one's operations gather in the queue; so the disk decides how many share a sync.
The thread sleeps without a timer while nothing waits.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolClosed
from intercomd_daemon.spool.sqlite.job_queue import Job, JobQueue
from intercomd_daemon.spool.sqlite.store import CommitResult, JobResult, Store
from intercomd_daemon.spool.sqlite.transaction import DatabaseOperation, Result

OnGrown = Callable[[set[tuple[str, Priority]]], None]


class Writer:
    """The thread and its queue; call all methods on the event loop that created the writer."""

    def __init__(self, on_grown: OnGrown) -> None:
        """`on_grown` is called on the event loop after each commit that appended rows, with the logs that grew."""
        self._on_grown = on_grown
        self._loop = asyncio.get_running_loop()
        self._queue = JobQueue()
        self._lock = threading.Lock()
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._waits = False
        """The thread waits, and no wake-up of it is scheduled."""
        self._closing = False
        self._opened: asyncio.Future[Store] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._performing: Sequence[Job] = ()
        self._busy_since: float | None = None
        """When the thread took these jobs, by `time.monotonic`."""
        self._inserts = False
        """The thread inserts rows, and its commit has not begun."""
        self._commit_waiters: list[asyncio.Future[None]] = []

    def busy_seconds(self) -> float:
        """Returns how long the thread has worked on the current commit; 0.0: it has none."""
        since = self._busy_since  # read once: the thread may end the commit meanwhile
        return 0.0 if since is None else max(0.0, time.monotonic() - since)

    def insertion(self) -> asyncio.Future[None] | None:
        """Returns a future that is done when the current commit begins; None: no rows are inserted now."""
        with self._lock:
            if not self._inserts:
                return None
            waiter = self._loop.create_future()
            self._commit_waiters.append(waiter)
        return waiter

    @property
    def closing(self) -> bool:
        """Whether nothing more is performed."""
        return self._closing

    async def start(self, opening: Callable[[], Store], release: Callable[[], None]) -> Store:
        """Starts the thread, which opens the store and calls `release` when it ends.

        Raises:
            SpoolUnusable: from `opening`.
        """
        threading.Thread(target=self._run, args=(opening, release), name="spool", daemon=True).start()
        try:
            return await asyncio.shield(self._opened)
        except asyncio.CancelledError:
            self._stop()
            raise

    async def perform(self, run: DatabaseOperation[Result], *, append_bytes: int = 0, retried: bool = False) -> Result:
        """Performs an operation; returns its result once its commit is on disk.

        Raises:
            SpoolClosed: the spool is closing.
            SpoolFull: too many bytes wait, or the operation found no room.
        """
        return await self.submit(run, append_bytes=append_bytes, retried=retried)

    def submit(
        self, run: DatabaseOperation[Result], *, append_bytes: int = 0, retried: bool = False
    ) -> asyncio.Future[Result]:
        """Queues an operation for the thread; returns the future of its result.

        Raises:
            SpoolClosed: the spool is closing.
            SpoolFull: too many bytes wait.
        """
        if self._closing:
            raise SpoolClosed
        job = Job(run, self._loop.create_future(), append_bytes, retried)
        with self._lock:
            if self._queue.put(job) and self._waits:
                self._waits = False
                # Wake it on the loop's next turn: the thread needs the interpreter, which this turn holds, and the
                # turn's other operations can join the same commit.
                self._loop.call_soon(self._wake_ups.put, None)
        return job.future

    async def wait_ended(self) -> None:
        """Returns once the thread has ended; raises the error that ended it."""
        await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Commits what waits and ends the thread."""
        self._stop()
        await asyncio.shield(self._ended)

    def _stop(self) -> None:
        self._closing = True
        self._wake_ups.put(None)

    # From here on in the thread, except for `_wake_callers`, `_finish` and the functions, which run on the loop.

    def _run(self, opening: Callable[[], Store], release: Callable[[], None]) -> None:
        try:
            store = opening()
        except Exception as error:  # noqa: BLE001 - `start` waits for it and raises it
            release()
            self._on_loop(_resolve, self._opened, JobResult(error=error))
            return
        self._on_loop(_resolve, self._opened, JobResult(store))
        end = JobResult()
        try:
            while jobs := self._take():
                self._conclude(jobs, store.perform(jobs, self._end_insertion))
        except Exception as error:  # noqa: BLE001 - the thread's last frame: every waiting caller gets the error
            end = JobResult(error=error)
        finally:
            self._end_insertion()
            try:
                store.close()
            finally:
                release()
                self._on_loop(self._finish, end)

    def _take(self) -> Sequence[Job]:
        """Waits for the next jobs; returns none when the spool closes and none are left."""
        while True:
            with self._lock:
                now = time.monotonic()
                seconds = 0.0 if self._closing else self._queue.seconds_to_wait(now)
                self._waits = seconds != 0.0
                if not self._waits:
                    self._performing = self._queue.take(now, last=self._closing)
                    self._busy_since = now
                    self._inserts = any(job.append_bytes for job in self._performing)
                    return self._performing
            with suppress(Empty):
                self._wake_ups.get(timeout=seconds)

    def _end_insertion(self) -> None:
        """Lets those go on who wait for the commit to begin."""
        with self._lock:
            self._inserts = False
            waiters, self._commit_waiters = self._commit_waiters, []
        if waiters:
            self._on_loop(_release, waiters)

    def _conclude(self, jobs: Sequence[Job], commit: CommitResult) -> None:
        """Holds the jobs that the disk refused, and wakes the callers of all others."""
        self._end_insertion()  # Jobs that fail do so before their commit.
        pairs = list(zip(jobs, commit.results, strict=True))
        refused = [] if self._closing else [job for job, result in pairs if result.retry]
        done = [(job, result) for job, result in pairs if job not in refused] if refused else pairs
        with self._lock:
            self._queue.finish([job for job, _ in done])
            if refused:
                self._queue.hold(refused, time.monotonic())
        self._performing = ()
        self._busy_since = None
        self._on_loop(self._wake_callers, done, commit.grown)

    def _on_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # The loop is closed, and with it everyone who waited.
            self._loop.call_soon_threadsafe(partial(callback, *arguments))

    def _wake_callers(self, done: Sequence[tuple[Job, JobResult]], grown: set[tuple[str, Priority]]) -> None:
        for job, result in done:
            _resolve(job.future, result)
        if grown:
            self._on_grown(grown)

    def _finish(self, end: JobResult) -> None:
        """Ends, and gives every caller who still waits the reason."""
        self._closing = True
        for job in (*self._performing, *self._queue.take(time.monotonic(), last=True)):
            _resolve(job.future, end)
        _resolve(self._ended, end)


def _release(waiters: Sequence[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():  # The caller was cancelled.
            waiter.set_result(None)


def _resolve(future: asyncio.Future[Any], result: JobResult) -> None:
    if future.done():  # The caller was cancelled.
        return
    if result.error:
        future.set_exception(result.error)
    else:
        future.set_result(result.value)
