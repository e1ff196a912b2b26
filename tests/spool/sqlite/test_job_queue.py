"""When operations are performed, as dialogues: what is put, at which time, and what is taken then."""

import asyncio
from collections.abc import Iterator

import pytest

from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.sqlite.job_queue import (
    APPEND_BYTES_MAX,
    RETRY_SECONDS_MAX,
    RETRY_SECONDS_MIN,
    Job,
    JobQueue,
)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


class Jobs:
    """Makes jobs; they are never run here."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def _job(self, **fields: object) -> Job:
        return Job(lambda _transaction: None, self._loop.create_future(), **fields)

    def append(self, size: int = 100) -> Job:
        return self._job(append_bytes=size)

    def settle(self) -> Job:
        return self._job(retried=True)

    def read(self) -> Job:
        return self._job(retried=True)

    def list(self) -> Job:
        return self._job()


@pytest.fixture
def jobs(loop: asyncio.AbstractEventLoop) -> Jobs:
    return Jobs(loop)


def test_empty_queue_waits_for_a_job_without_a_time() -> None:
    assert JobQueue().seconds_to_wait(5.0) is None


def test_all_waiting_jobs_are_taken_at_once_in_order(jobs: Jobs) -> None:
    queue = JobQueue()
    waiting = [jobs.settle(), jobs.append(), jobs.read(), jobs.list(), jobs.settle()]
    for job in waiting:
        queue.put(job)
        assert queue.seconds_to_wait(10.0) == 0.0
    assert queue.take(10.0) == waiting
    assert queue.seconds_to_wait(10.0) is None


def test_put_reports_whether_the_wait_ends_earlier(jobs: Jobs) -> None:
    queue = JobQueue()
    assert queue.put(jobs.settle())
    assert not queue.put(jobs.append())
    queue.hold(queue.take(10.004), 10.004)
    assert queue.put(jobs.append())
    assert queue.put(jobs.append())


@pytest.mark.fills("spool.sqlite.job_queue.APPEND_BYTES_MAX")
def test_waiting_appends_are_bounded_in_bytes(jobs: Jobs) -> None:
    queue = JobQueue()
    first, second = jobs.append(APPEND_BYTES_MAX - 10), jobs.append(10)
    queue.put(first)
    queue.put(second)
    with pytest.raises(SpoolFull) as refused:
        queue.put(jobs.append(1))
    assert refused.value.retry_seconds == 1.0
    queue.put(jobs.read())
    taken = queue.take(0.0)
    with pytest.raises(SpoolFull):
        queue.put(jobs.append(1))
    queue.finish(taken)
    queue.put(jobs.append(1))


def test_single_append_is_never_too_large(jobs: Jobs) -> None:
    queue = JobQueue()
    queue.put(jobs.append(APPEND_BYTES_MAX + 1))
    assert len(queue.take(0.0)) == 1


def test_refused_jobs_are_retried_before_later_ones(jobs: Jobs) -> None:
    queue = JobQueue()
    refused, since = jobs.settle(), jobs.settle()
    queue.hold([refused], 10.0)
    assert queue.seconds_to_wait(10.0) == pytest.approx(RETRY_SECONDS_MIN)
    queue.put(since)
    assert queue.seconds_to_wait(10.05) == pytest.approx(RETRY_SECONDS_MIN - 0.05)
    assert queue.seconds_to_wait(11.0) == 0.0
    assert queue.take(11.0) == [refused, since]


def test_appends_proceed_while_held_jobs_keep_their_order(jobs: Jobs) -> None:
    queue = JobQueue()
    refused, settle, read, append = jobs.settle(), jobs.settle(), jobs.read(), jobs.append()
    queue.hold([refused], 10.0)
    for job in (settle, read):
        queue.put(job)
        assert queue.seconds_to_wait(10.0) == pytest.approx(RETRY_SECONDS_MIN)
    queue.put(append)
    assert queue.seconds_to_wait(10.0) == 0.0
    assert queue.take(10.0) == [append]
    assert queue.take(11.0) == [refused, settle, read]


@pytest.mark.fills("spool.sqlite.job_queue.RETRY_SECONDS_MAX")
def test_retry_pauses_grow_and_start_over_after_a_success(jobs: Jobs) -> None:
    queue = JobQueue()
    job = jobs.settle()
    waits = []
    for _ in range(8):
        queue.hold([job], 0.0)
        waits.append(queue.seconds_to_wait(0.0))
        assert queue.take(1_000.0) == [job]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert waits[-1] == RETRY_SECONDS_MAX
    queue.finish([job])
    queue.hold([job], 0.0)
    assert queue.seconds_to_wait(0.0) == pytest.approx(RETRY_SECONDS_MIN)


def test_last_take_returns_all_jobs(jobs: Jobs) -> None:
    queue = JobQueue()
    refused, settle, append = jobs.settle(), jobs.settle(), jobs.append()
    queue.hold([refused], 0.0)
    queue.put(settle)
    queue.put(append)
    assert queue.take(0.0, last=True) == [refused, settle, append]
