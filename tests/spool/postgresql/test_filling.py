"""Everything of a file is taken over into a database, or nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from msgspec.structs import replace

from database.filled import change
from database.server import database_time, server
from intercomd_daemon.envelope import Finding, Priority, Refusal
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.content import Numbers
from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.maintenance import Contents, DamageReport
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool, open_spool
from intercomd_daemon.spool.postgresql.filling import fill
from intercomd_daemon.spool.postgresql.maintenance import PostgresqlMaintenance
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.rows import Incoming, PacingState, position_of
from intercomd_daemon.spool.sqlite import content
from intercomd_daemon.spool.trail import TrailFilter
from spool.filled import CONNECTIONS, Seen, opened, see
from spool.filled import fill as fill_file
from spool.leased import leased
from spool.model import Held, end_of, made

WORKSPACES = {"eu": "https://api.eu app", "us": "https://api app"}
REQUEST = Forwarded("agent", "id of the agent", "eu", 7, b"results", (1,))
LAST = replace(
    made("eu", Priority.NORMAL, "eve", "with seconds", 10, recognised=True), seconds=((5, 7), ((1 << 63) - 1, 8))
)
REFUSAL = Refusal(
    *(1_750_000_000.0, "refused", "eu", "ann", "ann@example.com", 4),
    violations=(Finding("INVALID_EMAIL", "identity.email", "no @"),),
    event_name="",
)


async def file_with_everything(path: Path) -> Seen:
    """Fills a spool, and returns what can be read of it."""
    spool = await opened(path)
    await fill_file(spool)
    await spool.append([LAST, LAST], REQUEST)
    await spool.save_state("attributes of eu", b"state")
    await spool.set_paused("us", paused=True)
    await spool.set_workspaces(WORKSPACES)
    outflow = await spool.acquire(WORKSPACES["us"])
    await outflow.save_pacing(PacingState(1_000, 1_750_000_050.0, 9, 3.0))
    spool.keep_refusals([REFUSAL])
    seen = await see(spool, [])
    await spool.close()
    return seen


async def held(path: Path) -> tuple[Numbers, Contents, dict[str, int]]:
    """Returns the numbers of a file, what it holds, and the numbers of its connections."""

    def run() -> tuple[Numbers, Contents, dict[str, int]]:
        with content.opened(str(path)) as found:
            return found.numbers(), found.contents, {each.name: each.number for each in found.connections()}

    return await asyncio.to_thread(run)


async def taken_over(path: Path, url: str) -> str:
    def run() -> str:
        with content.opened(content.find(str(path))) as found:
            assert found.damages == []
            return asyncio.run(fill(url, "", found))

    return await asyncio.to_thread(run)


async def daemon(url: str, clock: SimpleNamespace) -> PostgresqlSpool:
    return await open_spool(
        PostgresqlSettings(url=url, connections=CONNECTIONS),
        wall=lambda: clock.wall,
        monotonic=lambda: clock.monotonic,
        database_time=database_time(lambda: clock.wall),
    )


@pytest.mark.parametrize("exists", [False, True], ids=["in a new schema", "in an empty spool"])
async def test_daemon_goes_on_where_the_one_on_the_file_ended(
    tmp_path: Path, url: str, clock: SimpleNamespace, exists: bool
) -> None:
    if not exists:
        url = server().url(server().database())
    path = tmp_path / "spool.db"
    before = await file_with_everything(path)
    numbers, _, connections = await held(path)
    assert await taken_over(path, url) == f"{path}.copied"
    files = await asyncio.to_thread(lambda: {each.name for each in tmp_path.iterdir()})
    assert files - {"spool.db.lock"} == {"spool.db.copied"}
    spool = await daemon(url, clock)
    assert spool.usage().spool_id == numbers.spool_id
    assert connections == spool.counters.numbers
    seen = await see(await leased(spool), [])
    assert seen == before
    assert await spool.forwarded(*REQUEST.key) == REQUEST
    assert await spool.seconds() == list(LAST.seconds)
    assert await spool.load_state("attributes of eu") == b"state"
    assert await spool.paused() == {"us"}
    assert await spool.set_workspaces(WORKSPACES) == []
    assert await spool.set_workspaces(WORKSPACES | {"eu": "another"}) == ["eu"]
    assert await (await spool.acquire(WORKSPACES["us"])).load_pacing() == PacingState(1_000, 1_750_000_050.0, 9, 3.0)
    assert [each.envelope_id for each in await spool.refusals(TrailFilter(), 0, 10)] == ["refused"]
    assert len(await spool.find_waiting(TrailFilter(customer_id="eve"), 0, 10)) == 1
    await spool.close()


async def test_ids_stay_known_and_new_rows_follow(
    tmp_path: Path, url: str, clock: SimpleNamespace, row: Callable[..., Incoming]
) -> None:
    path = tmp_path / "spool.db"
    before = await file_with_everything(path)
    numbers, _, _ = await held(path)
    await taken_over(path, url)
    spool = await daemon(url, clock)
    assert await spool.append([LAST]) == [0]
    (key,) = await spool.append([row("new", connection="eu")])
    assert position_of(key) > numbers.position
    assert key > max(each for each in before.rows if each >> 48 == key >> 48)
    assert numbers.sequence == max(outcome.sequence for outcome in before.outcomes)
    outcome = await spool.complete("eu", end_of(key, Held(LAST), ""))
    assert outcome is not None
    assert outcome.sequence == numbers.sequence + 1
    await spool.close()


async def test_database_is_sound_afterwards(tmp_path: Path, url: str) -> None:
    path = tmp_path / "spool.db"
    await file_with_everything(path)
    _, expected, _ = await held(path)
    await taken_over(path, url)

    def verify() -> DamageReport:
        with PostgresqlMaintenance().lock(url) as spool:
            return spool.verify()

    report = await asyncio.to_thread(verify)
    assert (report.damages, report.contents) == ([], expected)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO states VALUES ('x', 'y')",
        "INSERT INTO recent VALUES (0, 1, 'id', 1)",
        "INSERT INTO damaged (place, key, lane, reason, data) VALUES ('log', 1, '', '', '')",
    ],
)
async def test_database_with_another_content_is_refused(tmp_path: Path, url: str, statement: str) -> None:
    path = tmp_path / "spool.db"
    await file_with_everything(path)
    await change(url, statement)
    with pytest.raises(SpoolUnusable, match="another spool's content"):
        await taken_over(path, url)
    assert path.exists()


async def test_session_that_ends_does_not_count_as_a_daemon(tmp_path: Path, url: str) -> None:
    path = tmp_path / "spool.db"
    await file_with_everything(path)
    other = await asyncpg.connect(url, server_settings={"application_name": "intercomd pod-1"})
    taking = asyncio.create_task(taken_over(path, url))
    waiting = "SELECT FROM pg_stat_activity WHERE query LIKE '%string_agg(DISTINCT application_name%' AND state = $1"
    while not await other.fetch(f"{waiting} AND pid <> pg_backend_pid()", "idle in transaction"):
        assert not taking.done()
    await other.close()
    await taking


async def test_database_in_use_is_refused(tmp_path: Path, url: str, clock: SimpleNamespace) -> None:
    path = tmp_path / "spool.db"
    await file_with_everything(path)
    other = await open_spool(PostgresqlSettings(url=url, daemon_id="pod-1"))
    with pytest.raises(SpoolUnusable, match="daemons use the database \\(intercomd pod-1\\)"):
        await taken_over(path, url)
    await other.close()
    # A daemon that has done nothing leaves nothing behind.
    await taken_over(path, url)
    spool = await daemon(url, clock)
    assert set(spool.counters.numbers) == set(CONNECTIONS)
    await spool.close()


async def test_copy_that_fails_after_the_renaming_is_repeated(tmp_path: Path, url: str) -> None:
    path = tmp_path / "spool.db"
    await file_with_everything(path)

    class Torn(content.SqliteContent):
        def retire(self) -> str:
            super().retire()
            raise ConnectionError("the database is gone")

    def run() -> None:
        with content.opened(str(path)) as found:
            asyncio.run(fill(url, "", Torn(str(path), found._database)))

    with pytest.raises(SpoolUnusable, match="the database is gone"):
        await asyncio.to_thread(run)
    connection = await asyncpg.connect(url, server_settings={"search_path": "intercomd"})
    assert await connection.fetchval("SELECT count(*) FROM log") == 0
    assert not path.exists()
    for _ in range(2):  # The second time nothing is left to do.
        assert await taken_over(path, url) == f"{path}.copied"
        waiting = await connection.fetchval("SELECT count(*) FROM (SELECT FROM log UNION ALL SELECT FROM parked) AS w")
        assert waiting > 0
    await connection.close()
