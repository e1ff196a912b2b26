"""Appends whose connection breaks: the callers learn what became of them."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import asyncpg
import pytest

from intercomd_daemon.errors import RetryLater, SecondsTaken, SpoolFull
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.postgresql.intake import GROUP_BYTES_MAX, GROUP_ROWS_MAX, WAITING_BYTES_MAX
from intercomd_daemon.spool.rows import Incoming

Open = Callable[..., Awaitable[PostgresqlSpool]]
Make = Callable[..., Incoming]
BLOCKED = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND query LIKE '%append_1%'"
)
READ_ROWS = "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS read FROM pg_stat_user_tables"


async def blocked_append(connection: asyncpg.Connection, append: asyncio.Task[list[int]]) -> int:
    """Waits until an append waits for a lock; returns its backend."""
    while (pid := await connection.fetchval(BLOCKED)) is None:
        assert not append.done(), "it waited for no lock"
    return int(pid)


async def test_append_whose_backend_ended_before_its_commit_may_be_repeated(
    open_daemon: Open, row: Make, url: str
) -> None:
    spool = await open_daemon()
    other, holder = await asyncpg.connect(url), await asyncpg.connect(url)
    locked = holder.transaction()
    await locked.start()
    await holder.execute("SELECT FROM intercomd.appended FOR UPDATE")
    append = asyncio.create_task(spool.append([row("a")]))
    await other.execute("SELECT pg_terminate_backend($1)", await blocked_append(other, append))
    with pytest.raises(RetryLater):
        await append
    await locked.rollback()
    assert all(await spool.append([row("a")])), "nothing was accepted"
    await other.close()
    await holder.close()


async def test_append_of_an_ended_session_never_commits(open_daemon: Open, row: Make, url: str) -> None:
    spool = await open_daemon()
    await spool.append([row("a")])
    other = await asyncpg.connect(url, server_settings={"search_path": "intercomd"})
    await other.execute("UPDATE daemons SET session = session + 1 WHERE kind = 'append'")
    with pytest.raises(RetryLater):
        await spool.append([row("b")])
    assert await other.fetchval("SELECT count(*) FROM log") == 1
    await other.close()


@pytest.mark.fills("spool.postgresql.intake.GROUP_ROWS_MAX")
async def test_requests_are_appended_together_up_to_a_number_of_rows(open_daemon: Open, row: Make) -> None:
    commits: list[int] = []
    spool = await open_daemon(on_commit=lambda rows, _seconds: commits.append(rows))
    half = GROUP_ROWS_MAX // 2
    requests = [spool.append([row(f"{n} {m}") for m in range(half)]) for n in range(4)]
    await asyncio.gather(*requests)
    assert commits == [half, 2 * half, half] or commits == [2 * half, 2 * half]


@pytest.mark.fills("spool.postgresql.intake.GROUP_BYTES_MAX")
async def test_requests_are_appended_together_up_to_their_bytes(open_daemon: Open, row: Make) -> None:
    commits: list[int] = []
    spool = await open_daemon(on_commit=lambda rows, _seconds: commits.append(rows))
    size = GROUP_BYTES_MAX // 2 - 1_000
    await asyncio.gather(*(spool.append([row(str(n), size=size)]) for n in range(5)))
    assert max(commits) == 2


@pytest.mark.fills("spool.postgresql.intake.WAITING_BYTES_MAX")
async def test_appends_are_refused_while_too_many_bytes_wait(open_daemon: Open, row: Make) -> None:
    spool = await open_daemon()
    size = 4 << 20
    appends = (spool.append([row(str(n), size=size)]) for n in range(WAITING_BYTES_MAX // size + 2))
    results = await asyncio.gather(*appends, return_exceptions=True)
    assert any(isinstance(result, SpoolFull) for result in results)
    assert all(await spool.append([row("later")]))


async def test_append_reads_the_indexes_of_ids_and_seconds_and_no_other_row(open_daemon: Open, row: Make) -> None:
    """Whatever the statistics of the tables are: a new database has none, and sessions keep their plans."""
    spool = await open_daemon(poll_seconds=3_600.0)
    for start in range(0, 20_000, 2_000):
        await spool.append([row(str(n), f"user-{n}", seconds=((n, 1),)) for n in range(start, start + 2_000)])
    await spool._appending.fetch("SELECT pg_stat_force_next_flush()")
    await spool._reading.fetch("SELECT pg_stat_reset()")
    repeated, new = [row(str(n), seconds=((n, 2),)) for n in range(20)], row("new", seconds=((30_000, 2),))
    assert [bool(key) for key in await spool.append([*repeated, new])] == [False] * 20 + [True]
    with pytest.raises(SecondsTaken) as taken:
        await spool.append([row("other", seconds=((19_990, 2),))])
    assert len(taken.value.pairs) == 10
    await spool._appending.fetch("SELECT pg_stat_force_next_flush()")
    read = {each["relname"]: each["read"] for each in await spool._reading.fetch(READ_ROWS)}
    assert 10 <= read["seconds"] <= 40
    assert 20 <= sum(number for name, number in read.items() if name.startswith("recent")) <= 80


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ("53100", "the database's disk is full: refused"),
        ("42501", "the database refuses: refused"),
        ("55P03", "the database refuses: refused"),
    ],
    ids=["full disk", "missing privilege", "lock not available"],
)
async def test_refusal_of_the_database_is_reported_until_an_append_succeeds(
    open_daemon: Open, row: Make, url: str, clock: SimpleNamespace, refusal: str, reason: str
) -> None:
    reports: list[str] = []
    spool = await open_daemon(on_refusing=reports.append)
    other = await asyncpg.connect(url, server_settings={"search_path": "intercomd"})
    body = f"BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{refusal}'; END"
    await other.execute(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    await other.execute("CREATE TRIGGER refuse BEFORE INSERT ON log EXECUTE FUNCTION refuse()")
    for _ in range(3):
        clock.monotonic += 5.0
        with pytest.raises(RetryLater, match="refused"):
            await spool.append([row("a")])
    assert reports == [reason]
    await other.execute("DROP TRIGGER refuse ON log")
    await spool.append([row("a")])
    assert reports == [reason, ""]
    await other.close()


async def test_full_spool_is_reported_until_an_append_succeeds(open_daemon: Open, row: Make) -> None:
    reports: list[str] = []
    spool = await open_daemon(on_refusing=reports.append, bytes_max=20_000)
    with pytest.raises(SpoolFull):
        await spool.append([row("a", data=b"x" * 30_000)])
    assert len(reports) == 1
    assert "leaves no room" in reports[0]
    await spool.append([row("b")])
    assert reports[1:] == [""]
