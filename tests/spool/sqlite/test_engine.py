"""What outlives a close, a kill and another daemon; what happens in an open spool is in the contract's tests."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SettingsInvalid, SpoolFull, SpoolLocked, SpoolUnusable
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import (
    CachedContact,
    Completion,
    ContactEntry,
    DeadLetterFilter,
    Incoming,
    OutcomeFilter,
    Settlement,
)
from intercomd_daemon.spool.sqlite import SqliteSettings, SqliteSpool, open_spool
from intercomd_daemon.spool.sqlite.journal import TRIMMED_PER_COMMIT
from intercomd_daemon.spool.sqlite.transaction import Transaction

Make = Callable[..., Incoming]
End = Callable[..., Completion]
Open = Callable[..., Awaitable[SqliteSpool]]

ALL = (10_000, 1 << 20)


@pytest.fixture
async def open_file(tmp_path: Path, clock: SimpleNamespace) -> AsyncIterator[Open]:
    """Opens the same file at each call, or another one by name; closes what is open at the end."""
    opened: list[SqliteSpool] = []

    async def make(
        name: str = "spool.db", *, on_damage: Callable[[str], None] = str, **settings: object
    ) -> SqliteSpool:
        fields = {"free_bytes_min": 0, "lock_wait_seconds": 0.0, **settings}
        reports = {"wall": lambda: clock.wall, "monotonic": lambda: clock.monotonic, "on_damage": on_damage}
        opened.append(await open_spool(SqliteSettings(str(tmp_path / name), **fields), **reports))
        return opened[-1]

    yield make
    for spool in opened:
        await spool.close()


async def keys_in_log(spool: SqliteSpool) -> list[int]:
    return [row.key for row in (await spool.read("default", Priority.NORMAL, 0, 10_000, 1 << 30)).rows]


async def test_discard_of_a_cancelled_caller_is_reported(open_file: Open, row: Make, ended: End) -> None:
    spool = await open_file()
    reports = asyncio.Event()
    spool.on_discard(lambda _: reports.set())
    (key,) = await spool.append([row("1")])
    await spool.settle([Settlement("default", [ended(key, "1", reason="BAD")])])
    discarding = asyncio.create_task(spool.discard(DeadLetterFilter(), 1))
    asyncio.get_running_loop().call_soon(discarding.cancel)
    with pytest.raises(asyncio.CancelledError):
        await discarding
    async with asyncio.timeout(60):
        await reports.wait()
    assert await spool.count_dead_letters(DeadLetterFilter()) == 0


async def test_content_survives_closing_and_opening(open_file: Open, row: Make, ended: End) -> None:
    spool = await open_file()
    data = pack(row("some record"))
    keys = await spool.append([row(str(number), f"user {number}", seconds=((number, 1),)) for number in range(6)])
    await spool.park("default", "c:user 1", [keys[1]], 77.0, 3)
    await spool.set_paused("default", True)
    ends = [ended(keys[2], "2"), ended(keys[3], "3", reason="BAD")]
    await spool.settle([Settlement("default", ends, [(keys[0], data)], [CachedContact("c:user 0", "i0", data)])])
    usage = spool.usage()
    await spool.close()

    spool = await open_file()
    assert spool.usage() == usage
    assert await spool.paused() == {"default"}
    assert await spool.seconds() == [(number, 1) for number in range(6)]
    assert await spool.due("default", 77.0, 9) == (["c:user 1"], 0.0)
    assert (await spool.parked("default", "c:user 1", 0, *ALL)).attempts == 3
    batch = await spool.read("default", Priority.NORMAL, 0, *ALL)
    assert [(each.key, each.progress) for each in batch.rows] == [(keys[0], data), (keys[4], b""), (keys[5], b"")]
    assert batch.contacts["c:user 0"] == ContactEntry("i0", data)
    assert [outcome.sequence for outcome in await spool.outcomes(OutcomeFilter(), 0, 9)] == [2, 1]
    assert await spool.count_dead_letters(DeadLetterFilter()) == 1
    assert await spool.append([row("2", "user 2")]) == [0]


async def test_positions_and_sequences_continue_after_a_restart(open_file: Open, row: Make, ended: End) -> None:
    spool = await open_file()
    keys = await spool.append([row("1"), row("2")])
    await spool.settle([Settlement("default", [ended(keys[0], "1"), ended(keys[1], "2")])])
    await spool.close()
    spool = await open_file()
    (key,) = await spool.append([row("3")])
    assert key == keys[1] + 1
    outcomes = await spool.settle([Settlement("default", [ended(keys[0], "1"), ended(key, "3")])])
    assert [(outcome.sequence, outcome.envelope_id) for outcome in outcomes] == [(3, "3")]


async def test_rows_of_a_parked_lane_follow_it_after_a_restart(open_file: Open, row: Make) -> None:
    spool = await open_file()
    keys = await spool.append([row(str(number), "ann") for number in range(3)] + [row("x", "bob")])
    await spool.park("default", "c:ann", keys[:1], 5.0, 1)
    await spool.close()
    spool = await open_file()
    assert await keys_in_log(spool) == [keys[3]]
    assert [each.key for each in (await spool.parked("default", "c:ann", 0, *ALL)).rows] == keys[:3]


async def test_rows_appended_to_an_emptied_log_follow_the_parked_ones(open_file: Open, row: Make, ended: End) -> None:
    """A position derived from the rows in the log would be reused, below parked rows."""
    spool = await open_file()
    keys = await spool.append([row("1", "bob"), row("2", "ann"), row("3", "ann")])
    await spool.park("default", "c:ann", keys[1:], 5.0, 1)
    await spool.settle([Settlement("default", [ended(keys[0], "1")])])
    await spool.close()
    spool = await open_file()
    later = await spool.append([row("4", "ann"), row("5", "bob")])
    assert await keys_in_log(spool) == later[1:]
    rows = (await spool.parked("default", "c:ann", 0, *ALL)).rows
    assert [each.key for each in rows] == [*keys[1:], later[0]] == sorted([*keys[1:], later[0]])


async def test_window_keeps_its_age_over_a_restart(
    open_file: Open, row: Make, ended: End, clock: SimpleNamespace
) -> None:
    spool = await open_file(duplicate_window_seconds=100.0)
    (key,) = await spool.append([row("x")])
    await spool.settle([Settlement("default", [ended(key, "x")])])
    for restart in range(1, 5):
        await spool.close()
        clock.monotonic = 1e6 * restart  # Of another process: it means nothing.
        spool = await open_file(duplicate_window_seconds=100.0)
        clock.wall += 60.0
        clock.monotonic += 60.0
        await spool.append([row(f"other {restart}")])
        assert (await spool.append([row("x")]) == [0]) is (restart < 4)


async def test_commits_are_in_the_files_while_they_are_open(open_file: Open, row: Make, tmp_path: Path) -> None:
    """What a crash leaves behind, at any time after the answer: the files as they are."""
    spool = await open_file()
    keys = await spool.append([row(str(number)) for number in range(100)])
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"spool.db{suffix}", tmp_path / f"copy.db{suffix}")
    copy = await open_file("copy.db")
    assert await keys_in_log(copy) == keys
    assert copy.usage() == spool.usage()


async def test_second_daemon_waits_then_gives_up_or_opens(open_file: Open, tmp_path: Path, row: Make) -> None:
    first = await open_file()
    with pytest.raises(SpoolLocked):
        await open_file()
    waiting = asyncio.Event()
    settings = SqliteSettings(str(tmp_path / "spool.db"), lock_wait_seconds=60.0, free_bytes_min=0)
    second = asyncio.create_task(open_spool(settings, on_wait=lambda _holder: waiting.set()))
    await waiting.wait()
    await first.append([row("1")])
    await first.close()
    spool = await second
    assert len(await keys_in_log(spool)) == 1
    await spool.close()


async def test_file_that_cannot_be_opened_is_not_locked(open_file: Open, tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_text("some notes" * 1_000)
    with pytest.raises(SpoolUnusable):
        await open_file()
    (tmp_path / "spool.db").unlink()
    await open_file()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
async def test_path_that_is_not_a_file_is_refused(
    open_file: Open, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Opening a pipe would wait for ever. Nothing is created beside it."""
    make(tmp_path / "spool.db")
    with pytest.raises(SpoolUnusable, match=r"set spool\.url to a file"):
        await open_file()
    assert [entry.name for entry in os.scandir(tmp_path)] == ["spool.db"]


async def test_quota_smaller_than_an_envelope_is_refused(open_file: Open) -> None:
    with pytest.raises(SettingsInvalid, match=r"spool\.bytes_max = 1000: at least 1048576"):
        await open_file(bytes_max=1_000)


async def test_corruption_in_a_large_backlog_is_repaired_when_it_is_read(
    open_file: Open, row: Make, tmp_path: Path
) -> None:
    """The pages in which the middle of the backlog lies are unreadable, and the opening does not notice."""
    spool = await open_file()
    for start in range(0, 40, 20):
        await spool.append([row(str(number), size=1 << 20) for number in range(start, start + 20)])
    usage = spool.usage()
    await spool.close()
    path = tmp_path / "spool.db"
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        file.seek(pages // 4 * 4096)
        file.write(b"\xff" * 4096 * (pages // 2))
    reports: list[str] = []
    spool = await open_file(on_damage=reports.append)
    assert spool.usage() == usage
    assert len((await spool.read("default", Priority.NORMAL, 0, 5, 1 << 30)).rows) == 5
    assert reports == []
    kept = await keys_in_log(spool)
    assert 15 <= len(kept) <= 20
    assert spool.usage().connections["default"].normal == len(kept)
    assert len(reports) == 1
    assert f"{len(kept)} envelopes wait, {40 - len(kept)} that waited are lost" in reports[0]
    assert f"{path}.damaged-" in reports[0]


@asynccontextmanager
async def busy(spool: SqliteSpool) -> AsyncIterator[None]:
    """Keeps the spool's thread from taking what is asked meanwhile."""
    started, going = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def occupy(_transaction: Transaction) -> None:
        loop.call_soon_threadsafe(started.set)
        going.wait(30)

    occupying = asyncio.ensure_future(spool._writer.perform(occupy))
    await started.wait()
    yield
    loop.call_soon(going.set)
    await occupying


async def test_many_appends_at_once_share_their_commits(open_file: Open, row: Make) -> None:
    spool = await open_file()
    await spool.append([row("first")])
    before = spool.commits
    async with busy(spool):
        appending = [asyncio.ensure_future(spool.append([row(str(number))])) for number in range(300)]
    keys = await asyncio.gather(*appending)
    assert [key for (key,) in keys] == (await keys_in_log(spool))[1:]
    assert spool.commits - before == 1


async def test_settlements_of_many_lanes_share_a_commit(open_file: Open, row: Make, ended: End) -> None:
    spool = await open_file()
    keys = await spool.append([row(str(number)) for number in range(50)])
    before = spool.commits
    async with busy(spool):
        ends = [Settlement("default", [ended(key, str(number))]) for number, key in enumerate(keys)]
        settling = [asyncio.ensure_future(spool.settle([settlement])) for settlement in ends]
    assert [outcome.sequence for (outcome,) in await asyncio.gather(*settling)] == list(range(1, 51))
    assert spool.commits - before == 1


async def test_appends_beyond_the_waiting_limit_are_refused(open_file: Open, row: Make) -> None:
    spool = await open_file()
    async with busy(spool):
        rows = [row(str(number), size=1 << 20) for number in range(40)]
        appending = [asyncio.ensure_future(spool.append([each])) for each in rows]
    answers = await asyncio.gather(*appending, return_exceptions=True)
    assert [isinstance(answer, SpoolFull) for answer in answers] == 31 * [False] + 9 * [True]
    assert spool.usage().connections["default"].normal == 31


async def test_reads_settlements_and_parking_keep_the_order_of_the_calls(open_file: Open, row: Make) -> None:
    spool = await open_file()
    keys = await spool.append([row("1", "ann"), row("2", "bob")])
    book = [CachedContact("c:bob", "i1", b"")]
    calls = (
        spool.settle([Settlement("default", contacts=book)]),
        spool.park("default", "c:ann", [keys[0]], 1.0, 1),
        spool.read("default", Priority.NORMAL, 0, *ALL),
        spool.settle([Settlement("default", contacts=[CachedContact("c:bob", "", b"")])]),
    )
    batch = (await asyncio.gather(*calls))[2]
    assert [each.key for each in batch.rows] == [keys[1]]
    assert batch.contacts == {"c:bob": ContactEntry("i1", b"")}


async def test_outcomes_expire_while_nothing_is_committed(
    tmp_path: Path, row: Make, ended: End, clock: SimpleNamespace
) -> None:
    """More than one commit deletes."""
    loop = asyncio.get_running_loop()
    commits: asyncio.Queue[int] = asyncio.Queue()
    spool = await open_spool(
        SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0),
        wall=lambda: clock.wall,
        on_commit=lambda rows, _: loop.call_soon_threadsafe(commits.put_nowait, rows),
        expiry_seconds=0.01,
    )
    count = TRIMMED_PER_COMMIT + 10
    keys = await spool.append([row(str(number)) for number in range(count)])
    await spool.settle([Settlement("default", [ended(key, str(number)) for number, key in enumerate(keys)])])
    for _ in range(2):
        await commits.get()
    clock.wall += 4 * 86_400.0
    deleted = [await commits.get() - 1 for _ in range(2)]  # The counters are a row as well.
    assert deleted == [TRIMMED_PER_COMMIT, 10]
    await spool.close()


async def test_commit_deletes_a_bounded_number_of_old_outcomes(
    tmp_path: Path, row: Make, ended: End, clock: SimpleNamespace
) -> None:
    settings = SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0)
    spool = await open_spool(settings, wall=lambda: clock.wall)
    count = 2 * TRIMMED_PER_COMMIT + 300
    keys = await spool.append([row(str(number)) for number in range(count)])
    await spool.settle([Settlement("default", [ended(key, str(number)) for number, key in enumerate(keys)])])
    await spool.close()
    clock.wall += 4 * 86_400.0
    changed: list[int] = []
    spool = await open_spool(
        replace(settings, outcomes_max=count - 600),
        wall=lambda: clock.wall,
        on_commit=lambda rows, _: changed.append(rows),
    )
    for paused in (True, False, True):
        await spool.set_paused("default", paused)
    await spool.close()
    assert [rows - 2 for rows in changed] == [TRIMMED_PER_COMMIT, TRIMMED_PER_COMMIT, 300]  # Two rows of counters.
