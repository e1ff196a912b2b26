"""The spool's thread: takes whatever waits, has it committed, and wakes the callers once per commit.

It sleeps while nothing waits, without a timer. What an operation does, it does not know.
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
from intercomd_daemon.errors import ShuttingDown
from intercomd_daemon.spool.sqlite.queue import Job, Queue
from intercomd_daemon.spool.sqlite.store import Answer, Performed, Store
from intercomd_daemon.spool.sqlite.transaction import Operation, Result

DRAINING_RETRY_SECONDS = 1.0

Grown = Callable[[set[tuple[str, Priority]]], None]


class Writer:
    """The thread and its queue; all methods are called on the event loop that started it."""

    def __init__(self, grown: Grown) -> None:
        """`grown` is called on the event loop after each commit that appended rows, with the logs."""
        self._grown = grown
        self._loop = asyncio.get_running_loop()
        self._queue = Queue()
        self._lock = threading.Lock()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._sleeps = False
        """The thread waits for the bell, and nobody is about to ring it."""
        self._closing = False
        self._opened: asyncio.Future[Store] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._in_hand: Sequence[Job] = ()

    async def start(self, opening: Callable[[], Store], release: Callable[[], None]) -> Store:
        """Starts the thread, which opens the store, and at its end calls `release`.

        Raises:
            SpoolUnusable: as `opening` does.
        """
        threading.Thread(target=self._run, args=(opening, release), name="spool", daemon=True).start()
        try:
            return await asyncio.shield(self._opened)
        except asyncio.CancelledError:
            self._stop()
            raise

    async def perform(self, run: Operation[Result], *, append_bytes: int = 0, kept: bool = False) -> Result:
        """Has an operation performed; returns when its commit is on disk.

        Raises:
            ShuttingDown: the spool is closing.
            SpoolFull: too much waits, or the operation says so.
        """
        if self._closing:
            raise ShuttingDown("the spool is closing, as the daemon stops", DRAINING_RETRY_SECONDS)
        job = Job(run, self._loop.create_future(), append_bytes, kept)
        with self._lock:
            if self._queue.put(job) and self._sleeps:
                self._sleeps = False
                # Not at once: before the loop has gone round, the thread would only wait for the interpreter.
                self._loop.call_soon(self._bell.put, None)
        result: Result = await job.future
        return result

    async def ended(self) -> None:
        """Returns once the thread has ended; raises what ended it by itself."""
        await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Commits what waits and ends the thread."""
        self._stop()
        await asyncio.shield(self._ended)

    def _stop(self) -> None:
        self._closing = True
        self._bell.put(None)

    def _run(self, opening: Callable[[], Store], release: Callable[[], None]) -> None:
        try:
            store = opening()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for the caller, who waits for it
            release()
            self._on_loop(_give, self._opened, Answer(error=error))
            return
        self._on_loop(_give, self._opened, Answer(store))
        end = Answer()
        try:
            while jobs := self._take():
                self._settle(jobs, store.perform(jobs))
        except Exception as error:  # noqa: BLE001 - the thread's last frame: everyone who waits is told
            end = Answer(error=error)
        finally:
            try:
                store.close()
            finally:
                release()
                self._on_loop(self._finish, end)

    def _take(self) -> Sequence[Job]:
        """What goes next, waited for; nothing when the spool closes and nothing waits."""
        while True:
            with self._lock:
                now = time.monotonic()
                seconds = 0.0 if self._closing else self._queue.seconds_to_wait(now)
                self._sleeps = seconds != 0.0
                if not self._sleeps:
                    self._in_hand = self._queue.take(now, last=self._closing)
                    return self._in_hand
            with suppress(Empty):
                self._bell.get(timeout=seconds)

    def _settle(self, jobs: Sequence[Job], performed: Performed) -> None:
        """Wakes those whose job is done, and keeps the others."""
        pairs = list(zip(jobs, performed.answers, strict=True))
        again = [] if self._closing else [job for job, answer in pairs if answer.again]
        done = [(job, answer) for job, answer in pairs if job not in again] if again else pairs
        with self._lock:
            self._queue.answered([job for job, _ in done])
            if again:
                self._queue.hold(again, time.monotonic())
        self._in_hand = ()
        self._on_loop(self._wake, done, performed.grown)

    def _on_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            self._loop.call_soon_threadsafe(partial(callback, *arguments))

    def _wake(self, done: Sequence[tuple[Job, Answer]], grown: set[tuple[str, Priority]]) -> None:
        for job, answer in done:
            _give(job.future, answer)
        if grown:
            self._grown(grown)

    def _finish(self, end: Answer) -> None:
        """Ends, and tells whoever still waits why."""
        self._closing = True
        for job in (*self._in_hand, *self._queue.take(time.monotonic(), last=True)):
            _give(job.future, end)
        _give(self._ended, end)


def _give(future: asyncio.Future[Any], answer: Answer) -> None:
    if future.done():  # The caller was cancelled.
        return
    if answer.error:
        future.set_exception(answer.error)
    else:
        future.set_result(answer.value)
