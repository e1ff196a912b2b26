import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import ShuttingDown, SpoolUnusable
from intercomd_daemon.spool.quota import Quota
from intercomd_daemon.spool.sqlite import SqliteSettings
from intercomd_daemon.spool.sqlite.admission import Admission
from intercomd_daemon.spool.sqlite.store import Store
from intercomd_daemon.spool.sqlite.transaction import Transaction
from intercomd_daemon.spool.sqlite.writer import Writer


@pytest.fixture
def opening(tmp_path: Path, clock: SimpleNamespace) -> Callable[[], Store]:
    settings = SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0)
    admission = Admission(settings.path, Quota(settings.bytes_max, settings.connections), 0)
    return lambda: Store(settings, admission, lambda: clock.wall, lambda: clock.monotonic)


@pytest.fixture
async def writer(opening: Callable[[], Store]) -> AsyncIterator[Writer]:
    made = Writer(lambda _grown: None)
    await made.start(opening, lambda: None)
    yield made
    await made.close()


def pause(name: str) -> Callable[[Transaction], str]:
    """An operation that changes something, so that it makes a commit."""

    def operation(transaction: Transaction) -> str:
        transaction.counters.connection(name).paused ^= 1
        return name

    return operation


async def test_operations_run_in_one_thread_that_is_not_the_loops(writer: Writer) -> None:
    names = [await writer.perform(lambda _transaction: threading.current_thread().name) for _ in range(2)]
    assert names == ["spool", "spool"]


async def test_busy_thread_is_not_woken(writer: Writer) -> None:
    """Rings would pile up for as long as the thread has work."""
    loop = asyncio.get_running_loop()
    rounds = [(asyncio.Event(), threading.Event()) for _ in range(20)]

    def occupying(started: asyncio.Event, going: threading.Event) -> Callable[[Transaction], None]:
        def operation(_transaction: Transaction) -> None:
            loop.call_soon_threadsafe(started.set)
            going.wait(30)

        return operation

    waiting = []
    let_go = threading.Event()
    for started, going in rounds:
        waiting.append(asyncio.ensure_future(writer.perform(occupying(started, going))))
        loop.call_soon(let_go.set)  # Only when the next one waits.
        await started.wait()
        let_go = going
    assert writer._wake_ups.qsize() == 0
    let_go.set()
    await asyncio.gather(*waiting)


async def test_waiting_operations_commit_together_in_order(opening: Callable[[], Store]) -> None:
    writer = Writer(lambda _grown: None)
    store = await writer.start(opening, lambda: None)
    order: list[int] = []

    def numbered(number: int) -> Callable[[Transaction], None]:
        def operation(transaction: Transaction) -> None:
            order.append(number)
            transaction.counters.spool.position += 1

        return operation

    started, going = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def occupy(_transaction: Transaction) -> None:
        loop.call_soon_threadsafe(started.set)
        going.wait(30)

    waiting = [asyncio.ensure_future(writer.perform(occupy))]
    await started.wait()
    waiting += [asyncio.ensure_future(writer.perform(numbered(number))) for number in range(200)]
    loop.call_soon(going.set)
    await asyncio.gather(*waiting)
    await writer.close()
    assert order == list(range(200))
    assert store.commits == 1


async def test_callers_are_woken_after_the_logs_are_reported(opening: Callable[[], Store]) -> None:
    grown: list[set[tuple[str, Priority]]] = []
    writer = Writer(grown.append)
    await writer.start(opening, lambda: None)
    await writer.perform(lambda transaction: transaction.grown.add(("default", Priority.BULK)))
    await writer.perform(pause("eu"))
    await writer.close()
    assert grown == [{("default", Priority.BULK)}]


async def test_cancelled_caller_does_not_disturb_others(writer: Writer) -> None:
    going = threading.Event()
    first = asyncio.create_task(writer.perform(lambda _transaction: going.wait(30)))
    second = asyncio.create_task(writer.perform(pause("second")))
    await asyncio.wait({first, second}, timeout=0)
    second.cancel()
    going.set()
    assert await first is True
    assert await writer.perform(pause("third")) == "third"


async def test_close_commits_what_waits_and_refuses_later_calls(opening: Callable[[], Store]) -> None:
    writer = Writer(lambda _grown: None)
    released = threading.Event()
    store = await writer.start(opening, released.set)
    waiting = asyncio.create_task(writer.perform(pause("waits"), retried=True))
    await asyncio.wait({waiting}, timeout=0)
    await writer.close()
    assert await waiting == "waits"
    assert released.is_set()
    assert store.paused == {"waits"}
    with pytest.raises(ShuttingDown):
        await writer.perform(pause("late"))
    await writer.close()


async def test_failed_opening_releases_the_lock_and_raises() -> None:
    writer = Writer(lambda _grown: None)
    released = threading.Event()

    def opening() -> Store:
        raise SpoolUnusable("not this one")

    with pytest.raises(SpoolUnusable, match="not this one"):
        await writer.start(opening, released.set)
    assert released.is_set()


async def test_cancelled_opening_releases_the_lock(opening: Callable[[], Store]) -> None:
    writer = Writer(lambda _grown: None)
    going, released = threading.Event(), threading.Event()

    def slow() -> Store:
        going.wait(30)
        return opening()

    starting = asyncio.create_task(writer.start(slow, released.set))
    await asyncio.wait({starting}, timeout=0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    going.set()
    await writer.close()
    assert released.is_set()


async def test_every_waiting_caller_gets_the_error_that_ended_the_thread(opening: Callable[[], Store]) -> None:
    writer = Writer(lambda _grown: None)
    await writer.start(opening, lambda: None)

    def fatal(transaction: Transaction) -> None:
        transaction.database.close()

    waiting = [asyncio.create_task(writer.perform(fatal)), asyncio.create_task(writer.perform(pause("eu")))]
    for failed in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(failed, Exception)
    with pytest.raises(Exception, match="closed database"):
        await writer.perform(pause("us"))
    await writer.close()


class Occupied:
    """An operation that starts, and goes on when it is let go."""

    def __init__(self, ends: Callable[[Transaction], object]) -> None:
        self.started, self.going = asyncio.Event(), threading.Event()
        self._loop, self._ends = asyncio.get_running_loop(), ends

    def __call__(self, transaction: Transaction) -> object:
        self._loop.call_soon_threadsafe(self.started.set)
        self.going.wait(30)
        return self._ends(transaction)


async def test_insertion_ends_for_all_who_wait_though_one_is_cancelled(writer: Writer) -> None:
    occupied = Occupied(pause("eu"))
    assert writer.insertion() is None
    appending = asyncio.create_task(writer.perform(occupied, append_bytes=1))
    await occupied.started.wait()
    first, second = writer.insertion(), writer.insertion()
    assert first is not None
    assert second is not None
    assert not second.done()
    first.cancel()
    occupied.going.set()
    await second
    await appending
    assert writer.insertion() is None


async def insert(writer: Writer, ends: Callable[[Transaction], object]) -> asyncio.Task[object]:
    """Returns an append whose insertion has ended for those who waited for it."""
    occupied = Occupied(ends)
    appending = asyncio.create_task(writer.perform(occupied, append_bytes=1))
    await occupied.started.wait()
    waits = writer.insertion()
    assert waits is not None
    occupied.going.set()
    await waits
    return appending


async def test_insertion_ends_with_an_append_that_fails(writer: Writer) -> None:
    appending = await insert(writer, lambda transaction: transaction.database.execute("SELECT * FROM nowhere"))
    with pytest.raises(SpoolUnusable, match="nowhere"):
        await appending
    assert writer.insertion() is None


async def test_insertion_ends_with_the_thread(opening: Callable[[], Store]) -> None:
    writer = Writer(lambda _grown: None)
    await writer.start(opening, lambda: None)
    appending = await insert(writer, lambda transaction: transaction.database.close())
    await asyncio.wait({appending})
    assert appending.exception()
    assert writer.insertion() is None


async def test_operation_without_rows_has_no_insertion_to_wait_for(writer: Writer) -> None:
    occupied = Occupied(pause("eu"))
    settling = asyncio.create_task(writer.perform(occupied, retried=True))
    await occupied.started.wait()
    assert writer.insertion() is None
    occupied.going.set()
    await settling


async def test_busy_seconds_grow_while_a_commit_hangs_and_end_with_it(writer: Writer) -> None:
    entered, release = threading.Event(), threading.Event()

    def hang(_: Transaction) -> None:
        entered.set()
        release.wait()

    assert writer.busy_seconds() == 0.0
    hanging = asyncio.create_task(writer.perform(hang))
    await asyncio.to_thread(entered.wait)
    assert writer.busy_seconds() > 0.0
    release.set()
    await hanging
    assert writer.busy_seconds() == 0.0
