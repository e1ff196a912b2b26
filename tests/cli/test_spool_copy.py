"""Tests `intercomd spool copy`: a file's content goes on in a database, all of it or nothing, whenever it is killed."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from daemons.commands import invoke, launch
from daemons.process import WAIT_SECONDS, Daemon
from database.filled import filled
from database.server import server, spool_url
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import PauseConnectionRequest, ResumeConnectionRequest
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope
from spool.filled import fill, opened

USERS = ("ann", "bob", "cid")
BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = $1"
    " AND application_name = 'intercomd'"
)


@pytest.fixture
def url() -> str:
    return spool_url()


@pytest.fixture
async def observer(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, server_settings={"search_path": "intercomd"})
    yield connection
    await connection.close()


async def blocked(observer: asyncpg.Connection, event: str) -> None:
    """Waits until the command waits for something."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await observer.fetchval(BLOCKED, event):
            pass


async def killed_in_the_middle(path: Path, url: str, observer: asyncpg.Connection) -> None:
    """Kills a copy that has sent nearly everything, and waits until the server has noticed it."""
    other = await asyncpg.connect(url)
    async with observer.transaction():
        await observer.execute("LOCK TABLE refusals IN SHARE MODE")
        command = await launch("spool", "copy", path, url)
        await blocked(other, "relation")
        await command.close()
    async with asyncio.timeout(WAIT_SECONDS):
        while await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'intercomd'"):
            pass
    await other.close()


async def created(path: Path) -> int:
    """Fills a file; returns how many envelopes wait."""
    spool = await opened(path)
    await fill(spool)
    waiting = sum(each.normal + each.bulk for each in spool.usage().connections.values())
    await spool.close()
    return waiting


async def waiting(observer: asyncpg.Connection) -> int:
    return int(await observer.fetchval("SELECT (SELECT count(*) FROM log) + (SELECT count(*) FROM parked)"))


async def test_copy_prints_what_it_copied_and_keeps_the_file(tmp_path: Path, url: str) -> None:
    path = tmp_path / "spool.db"
    count = await created(path)
    result = await invoke("spool", "copy", path, url)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{url}: {count} envelopes waiting, ")
    assert result.output.endswith(f"the old spool is kept as {path}.copied\n")
    again = await invoke("spool", "copy", path, url, "--json")
    assert again.exit_code == 0
    summary = json.loads(again.output)
    assert (summary["waiting"], summary["kept"]) == (count, f"{path}.copied")


async def test_copy_takes_the_database_of_the_settings(tmp_path: Path, url: str) -> None:
    path, settings = tmp_path / "spool.db", tmp_path / "intercomd.toml"
    await created(path)
    connection = '[connections.eu]\napp_id = "app"\naccess_token_file = "token"\n'
    settings.write_text(f'[spool]\nurl = "{url}"\n{connection}')
    assert (await invoke("spool", "copy", path, "--config", settings)).exit_code == 0


async def test_copy_refuses_what_it_cannot_take_over(tmp_path: Path, url: str) -> None:
    path = tmp_path / "spool.db"
    missing = await invoke("spool", "copy", path, url)
    assert (missing.exit_code, "there is no spool" in missing.output) == (1, True)
    spool = await opened(path)
    used = await invoke("spool", "copy", path, url)
    assert (used.exit_code, "stop that daemon first" in used.output) == (1, True)
    await spool.close()
    daemon = await filled(url)
    busy = await invoke("spool", "copy", path, url)
    assert (busy.exit_code, "daemons use the database" in busy.output) == (1, True)
    await daemon.close()
    full = await invoke("spool", "copy", path, url)
    assert (full.exit_code, "another spool's content" in full.output) == (1, True)
    sound = path.read_bytes()
    path.write_bytes(sound[:4_096] + bytes(len(sound) - 4_096))
    damaged = await invoke("spool", "copy", path, url)
    assert (damaged.exit_code, "run `intercomd spool repair" in damaged.output) == (1, True)


@pytest.mark.parametrize(("url", "code"), [("sqlite:other.db", 2), ("postgresql:here", 2)])
async def test_copy_needs_the_url_of_a_database(tmp_path: Path, url: str, code: int) -> None:
    path = tmp_path / "spool.db"
    await created(path)
    assert (await invoke("spool", "copy", path, url)).exit_code == code


async def test_copy_that_is_killed_in_the_middle_leaves_nothing_and_is_repeated(
    tmp_path: Path, url: str, observer: asyncpg.Connection
) -> None:
    path = tmp_path / "spool.db"
    count = await created(path)
    await killed_in_the_middle(path, url, observer)
    assert await waiting(observer) == 0
    assert path.exists()
    assert (await invoke("spool", "copy", path, url)).exit_code == 0
    assert await waiting(observer) == count


async def test_copy_that_is_killed_at_its_commit_is_repeated_without_doubles(
    tmp_path: Path, url: str, observer: asyncpg.Connection
) -> None:
    path = tmp_path / "spool.db"
    count = await created(path)
    server().psql("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
    server().psql("SELECT pg_reload_conf()")
    try:
        command = await launch("spool", "copy", path, url)
        await blocked(observer, "SyncRep")
        await command.close()
        assert not path.exists(), "it is no longer the spool of a daemon"
        retired = tmp_path / "spool.db.copied"
        assert retired.exists()
    finally:
        server().psql("ALTER SYSTEM RESET synchronous_standby_names")
        server().psql("SELECT pg_reload_conf()")
    assert (await invoke("spool", "copy", path, url)).exit_code == 0
    assert await waiting(observer) == count


async def test_daemon_on_the_database_goes_on_where_the_one_on_the_file_ended(
    tmp_path: Path, url: str, observer: asyncpg.Connection
) -> None:
    async with Sandbox() as sandbox:
        old = Daemon(tmp_path, sandbox.base_url)
        await old.start()
        ended = [envelope(user, "Opened", envelope_id=f"{user} ended") for user in USERS]
        await old.publish(*ended)
        await old.ended([each.envelope_id for each in ended])
        await old.operations.PauseConnection(PauseConnectionRequest(connection="default"))
        sent = [envelope(USERS[n % 3], "Step", at=n, metadata={"n": n}, envelope_id=f"step {n}") for n in range(60)]
        await old.publish(*sent)
        assert await old.stop() == 0
        await old.close()
        path = tmp_path / "spool.db"

        await killed_in_the_middle(path, url, observer)
        result = await invoke("spool", "copy", path, url)
        assert result.exit_code == 0, result.output

        new = Daemon(tmp_path, sandbox.base_url, {"spool": {"url": url}})
        await new.start()
        again = await new.publish(*ended, *sent)
        assert {each.disposition for each in again.results} == {Disposition.DISPOSITION_DUPLICATE}
        assert (await new.connection()).waiting_normal == len(sent)
        await new.operations.ResumeConnection(ResumeConnectionRequest(connection="default"))
        await new.ended([each.envelope_id for each in sent])
        assert [each.sequence for each in await new.journal()] == list(range(1, len(ended) + len(sent) + 1))
        await new.close()
        for user in USERS:
            steps = [event.metadata.get("n") for event in sandbox.events if event.external_id == user]
            assert steps == [None, *(n for n in range(60) if USERS[n % 3] == user)]
