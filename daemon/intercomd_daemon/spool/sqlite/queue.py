"""What waits for the spool's thread, in order, and when it goes; the time is an argument.

Everything goes at once. What the deliverer asked for and the disk refused is held and goes again, in order and before
what the deliverer asked since; all else goes on.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.sqlite.transaction import Operation

APPEND_BYTES_MAX = 32 << 20
"""Of appends that wait for their commit: beyond, a caller is better told to come again."""
FULL_RETRY_SECONDS = 1.0
"""The thread is behind, the spool not full: it is a matter of a commit."""
RETRY_SECONDS_MIN = 0.1
RETRY_SECONDS_MAX = 5.0
"""Between attempts at what the disk refused: each costs it no more than a failed write."""


@dataclass(eq=False, slots=True)
class Job:
    """An operation that waits, and who waits for it."""

    run: Operation[Any]
    future: asyncio.Future[Any]
    append_bytes: int = 0
    kept: bool = False
    """To be tried until the disk takes it, in order with all others of the kind."""


class Queue:
    """The jobs that wait, oldest first."""

    def __init__(self) -> None:
        """Empty."""
        self._jobs: list[Job] = []
        self._independent = False
        """Something waits that what is held does not hold up."""
        self._held: list[Job] = []
        self._append_bytes = 0
        """Of those that are being committed, too."""
        self._retry_at = 0.0
        self._retry_seconds = RETRY_SECONDS_MIN

    def put(self, job: Job) -> bool:
        """Enters a job; returns whether that changes when something goes, so that someone must be told.

        Raises:
            SpoolFull: too many bytes of appends wait already; one append alone is never too many.
        """
        if job.append_bytes and self._append_bytes and self._append_bytes + job.append_bytes > APPEND_BYTES_MAX:
            raise SpoolFull(f"{self._append_bytes} bytes wait for the disk already", FULL_RETRY_SECONDS)
        self._jobs.append(job)
        self._append_bytes += job.append_bytes
        self._independent = self._independent or not job.kept
        return len(self._jobs) == 1 or bool(self._held)

    def seconds_to_wait(self, now: float) -> float | None:
        """How long until `take` should be called, as things stand; None: not before another job comes."""
        if self._held:
            return 0.0 if self._independent else max(0.0, self._retry_at - now)
        return 0.0 if self._jobs else None

    def take(self, now: float, *, last: bool = False) -> list[Job]:
        """What goes now, in order; with `last` everything."""
        jobs, self._jobs, self._independent = self._jobs, [], False
        if self._held and now < self._retry_at and not last:
            self._held += [job for job in jobs if job.kept]
            return [job for job in jobs if not job.kept]
        held, self._held = self._held, []
        return held + jobs

    def answered(self, jobs: Sequence[Job]) -> None:
        """These wait no more: their commit is over."""
        self._append_bytes -= sum(job.append_bytes for job in jobs)
        if any(job.kept for job in jobs):
            self._retry_seconds = RETRY_SECONDS_MIN

    def hold(self, jobs: Sequence[Job], now: float) -> None:
        """Keeps what the disk refused for another attempt, a little later each time."""
        self._held = [*jobs, *self._held]
        self._retry_at = now + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS_MAX)
