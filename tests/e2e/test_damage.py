"""What becomes of a spool whose files were damaged while no daemon had it, and of one that is carried elsewhere."""

import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp

from daemons.commands import invoke
from daemons.process import Daemon, Start
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import PauseConnectionRequest, ResumeConnectionRequest
from intercomd_daemon.sandbox import Sandbox
from senders.client import NOON, envelope

USERS = ("ann", "bob", "cid")
PAGE = 4096


def some(count: int) -> list[Envelope]:
    """Envelopes of three users, numbered, and so large that they fill several pages."""
    return [
        envelope(
            USERS[number % 3],
            "Step",
            at=number,
            metadata={"n": number, "text": "x" * 200},
            envelope_id=f"step-{number}",
        )
        for number in range(count)
    ]


async def holding(daemon: Daemon, count: int) -> None:
    """Has the daemon hold envelopes that it does not deliver."""
    await daemon.operations.PauseConnection(PauseConnectionRequest())
    await daemon.publish(*some(count))


async def deliver(daemon: Daemon) -> None:
    await daemon.operations.ResumeConnection(ResumeConnectionRequest())


def arrived(sandbox: Sandbox) -> dict[str, list[int]]:
    """The numbers that arrived of each user, in order."""
    return {user: [event.metadata["n"] for event in sandbox.events if event.external_id == user] for user in USERS}


def expected(count: int) -> dict[str, list[int]]:
    return {user: list(range(place, count, 3)) for place, user in enumerate(USERS)}


def corrupt_page(path: Path, table: str) -> None:
    """Loses the page on which a table rests, so that SQLite can read none of it."""
    with closing(sqlite3.connect(path)) as database:
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(bytes(PAGE))


def corrupt_record(path: Path, position: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE log SET data = zeroblob(40) WHERE key & 0xffffffff = {position}")  # noqa: S608 - a number
        database.commit()


def damaged_in(folder: Path) -> list[Path]:
    return list(folder.glob("spool.db.damaged-*"))


def lose_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def test_damaged_spool_is_reported_and_its_readable_rows_delivered(
    start: Start, sandbox: Sandbox, tmp_path: Path
) -> None:
    daemon = await start()
    await holding(daemon, 24)
    await daemon.stop()
    corrupt_page(tmp_path / "spool.db", "log")
    await daemon.start()
    (line,) = daemon.logged("spool_damaged")
    assert line["level"] == "error"
    assert "24 envelopes wait, 0 that waited are lost" in line["detail"]
    assert (await daemon.publish(some(1)[0])).results[0].disposition == Disposition.DISPOSITION_DUPLICATE
    await deliver(daemon)
    await sandbox.wait_for(lambda _: arrived(sandbox) == expected(24), 60)
    async with aiohttp.ClientSession() as session, session.get(f"http://{daemon.http_address}/metrics") as answer:
        assert "intercomd_spool_damages_total 1.0" in await answer.text()
    (kept,) = damaged_in(tmp_path)
    assert (await invoke("spool", "verify", kept)).exit_code == 1


async def test_damaged_record_is_lost_alone(start: Start, sandbox: Sandbox, tmp_path: Path) -> None:
    """And a lost write-ahead log costs what it held."""
    daemon = await start()
    await holding(daemon, 12)
    await daemon.stop()
    corrupt_record(tmp_path / "spool.db", 8)
    await daemon.start()
    await deliver(daemon)
    rest = {user: [number for number in numbers if number != 7] for user, numbers in expected(12).items()}
    await sandbox.wait_for(lambda _: arrived(sandbox) == rest, 60)
    assert len(daemon.logged("rows_damaged")) == 1
    (line,) = daemon.logged("outcome", envelope_id="step-7")
    assert (line["outcome"], line["reason"], line["lane"]) == ("dead_lettered", "DAMAGED", "c:bob")
    await daemon.kill()
    lose_log(tmp_path / "spool.db")
    await daemon.start()
    (line,) = daemon.logged("spool_damaged")
    assert "spool.db-wal is missing" in line["detail"]
    await deliver(daemon)  # Who had resumed it is lost with the rest.
    await daemon.publish(envelope("dan", "Step", envelope_id="afterwards"))
    await daemon.ended(["afterwards"])


async def test_exported_envelopes_are_delivered_by_another_daemon(
    start: Start, sandbox: Sandbox, tmp_path: Path
) -> None:
    daemon = await start()
    await holding(daemon, 12)
    await daemon.publish(envelope("ann", update={"plan": "pro"}))
    held = await invoke("spool", "export", tmp_path / "spool.db")
    assert (held.exit_code, f"process {daemon.pid} on" in held.output) == (1, True)
    assert "stop that daemon first" in held.output
    await daemon.stop()
    exported = await invoke("spool", "export", tmp_path / "spool.db")
    assert exported.exit_code == 0
    lines = write(tmp_path / "waiting.jsonl", exported.stdout)
    other = await start(spool={"url": f"sqlite:{tmp_path / 'other.db'}"})
    sent = await invoke("send", "--target", other.ingest_address, lines)
    assert sent.exit_code == 0
    await sandbox.wait_for(lambda _: arrived(sandbox) == expected(12), 60)
    assert sorted(event.created_at for event in sandbox.events) == [NOON + number for number in range(12)]
    again = await other.publish(*some(12))
    assert {result.disposition for result in again.results} == {Disposition.DISPOSITION_DUPLICATE}
