"""The operations that wait for the writer's thread, in order, and when each is performed; the time is an argument.

The thread takes everything that waits at once. Operations of the deliverer that the disk refused are held, and are
retried in order before any later operation of the deliverer; appends and operators' calls do not wait for them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.sqlite.transaction import DatabaseOperation

APPEND_BYTES_MAX = 32 << 20
"""Bytes of appends that wait for their commit. Beyond that, a retry by the caller costs less than more memory here."""
FULL_RETRY_SECONDS = 1.0
"""The thread is behind, the spool is not full: one commit makes room."""
RETRY_SECONDS_MIN = 0.1
RETRY_SECONDS_MAX = 5.0
"""Between attempts at what the disk refused; an attempt costs the disk one failed write."""


@dataclass(eq=False, slots=True)
class Job:
    """An operation, and the future of its caller."""

    run: DatabaseOperation[Any]
    future: asyncio.Future[Any]
    append_bytes: int = 0
    retried: bool = False
    """Retry until the disk takes it, in order with all other such jobs."""


class JobQueue:
    """The waiting jobs, oldest first."""

    def __init__(self) -> None:
        """Starts empty."""
        self._jobs: list[Job] = []
        self._independent = False
        """Whether a job waits that need not wait for the held ones."""
        self._held: list[Job] = []
        self._append_bytes = 0
        """Includes appends whose commit is under way."""
        self._retry_at = 0.0
        self._retry_seconds = RETRY_SECONDS_MIN

    def put(self, job: Job) -> bool:
        """Queues a job; returns whether the thread's wait may end earlier, so that the thread must be woken.

        Raises:
            SpoolFull: more than `APPEND_BYTES_MAX` would wait. A single append is always taken, whatever its size.
        """
        if job.append_bytes and self._append_bytes and self._append_bytes + job.append_bytes > APPEND_BYTES_MAX:
            raise SpoolFull(
                f"{self._append_bytes} bytes of appends wait for the disk, limit {APPEND_BYTES_MAX}: retry later",
                FULL_RETRY_SECONDS,
            )
        self._jobs.append(job)
        self._append_bytes += job.append_bytes
        self._independent = self._independent or not job.retried
        return len(self._jobs) == 1 or bool(self._held)

    def seconds_to_wait(self, now: float) -> float | None:
        """Returns how long to wait before `take`; None: until the next job is put."""
        if self._held:
            return 0.0 if self._independent else max(0.0, self._retry_at - now)
        return 0.0 if self._jobs else None

    def take(self, now: float, *, last: bool = False) -> list[Job]:
        """Returns the jobs to perform now, in order; with `last`, all of them."""
        jobs, self._jobs, self._independent = self._jobs, [], False
        if self._held and now < self._retry_at and not last:
            # Keep the deliverer's order: its new jobs line up behind those that the disk refused.
            self._held += [job for job in jobs if job.retried]
            return [job for job in jobs if not job.retried]
        held, self._held = self._held, []
        return held + jobs

    def finish(self, jobs: Sequence[Job]) -> None:
        """Records that these jobs are done, committed or failed for good."""
        self._append_bytes -= sum(job.append_bytes for job in jobs)
        if any(job.retried for job in jobs):
            self._retry_seconds = RETRY_SECONDS_MIN

    def hold(self, jobs: Sequence[Job], now: float) -> None:
        """Holds jobs that the disk refused for another attempt; the pause doubles up to `RETRY_SECONDS_MAX`."""
        self._held = [*jobs, *self._held]
        self._retry_at = now + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS_MAX)
