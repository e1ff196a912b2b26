"""Tests `intercomd spool`."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict

from daemons.commands import invoke
from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent, UpdateContact
from intercomd_daemon.spool import record
from intercomd_daemon.spool.rows import Incoming, Settlement
from intercomd_daemon.spool.sqlite.lock import hold
from senders.client import envelope
from spool import corruption
from spool.filled import opened
from spool.model import Held, end_of

Corrupt = Callable[[str], None]
USERS = ("ann", "bob", "ann", "cid", "dan")


def sent(number: int, user: str) -> Incoming:
    name = f"id-{number}"
    source = envelope(user, "order", metadata={"number": number}).SerializeToString()
    events = (TrackEvent("order", 1_749_999_000 + number, b""),)
    accepted = AcceptedEnvelope(name, user, "", 1_750_000_000.0, events, (), "", source)
    priority = Priority.BULK if number % 2 else Priority.NORMAL
    return Incoming("eu", priority, f"c:{user}", name, record.pack(accepted), recognised=True)


async def fill(path: Path) -> None:
    """Five envelopes, the first of which is a dead letter; one user is parked."""
    spool = await opened(path)
    rows = [sent(number, user) for number, user in enumerate(USERS)]
    keys = await spool.append(rows)
    await spool.settle([Settlement("eu", [end_of(keys[0], Held(rows[0]), "REFUSED")])])
    await spool.park("eu", "c:ann", keys[2:3], 5.0, 1)
    await spool.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> corruption.Files:
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(fill(folder / corruption.NAME))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def path(files: corruption.Files, tmp_path: Path) -> Path:
    return corruption.put(files, tmp_path)


@pytest.fixture
def corrupt(path: Path) -> Corrupt:
    """Changes the last row of the log behind the spool's back."""

    def run(change: str) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"UPDATE log SET {change} WHERE key = (SELECT max(key) FROM log)")  # noqa: S608 - ours
            database.commit()

    return run


def content(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, text: str) -> None:
    path.write_text(text)


def stand_in_the_way(path: Path) -> None:
    """Where a repair would build, as a full disk would."""
    Path(f"{path}.rebuilding").mkdir()


def kept_beside(path: Path) -> list[Path]:
    return list(path.parent.glob("*.damaged-*"))


async def test_verify_of_a_sound_spool_prints_its_contents(path: Path) -> None:
    result = await invoke("spool", "verify", path)
    assert result.exit_code == 0
    assert result.output == f"{path}: 4 envelopes waiting, 1 dead letter, 1 outcome; nothing is damaged\n"


async def test_verify_lists_damage_with_record_and_user(path: Path, corrupt: Corrupt) -> None:
    corrupt("data = x'0102'")
    result = await invoke("spool", "verify", path)
    assert result.exit_code == 1
    title, line, summary = result.output.splitlines()
    assert title.split() == ["table", "key", "lane", "what", "is", "wrong"]
    assert line.split(maxsplit=3)[::3] == ["log", "2 bytes are too few for a record"]
    assert line.split()[2] in {f"c:{user}" for user in USERS}
    assert summary.endswith(
        ": 3 envelopes waiting, 1 dead letter, 1 outcome; 1 damage found, and 1 waiting envelope lost"
    )


async def test_verify_json_has_a_line_for_each_damage_and_a_summary(path: Path, corrupt: Corrupt) -> None:
    corrupt("data = x'0102'")
    result = await invoke("spool", "verify", path, "--json")
    damage, summary = map(json.loads, result.output.splitlines())
    assert (damage["table"], damage["reason"]) == ("log", "2 bytes are too few for a record")
    assert int(damage["key"]) > 1 << 48
    assert summary == {
        "path": str(path),
        "damaged": 1,
        "waiting": 3,
        "lost": 1,
        "dead_letters": 1,
        "outcomes": 1,
    }


@pytest.mark.parametrize(("columns", "lines"), [(80, 4), (140, 4), (260, 2)])
async def test_verify_fits_the_terminal_and_keeps_the_widest_user_whole(
    path: Path, corrupt: Corrupt, columns: int, lines: int
) -> None:
    user = "u" * 200
    corrupt(f"data = x'0102', lane = 'c:{user}'")
    result = await invoke("spool", "verify", path, env={"COLUMNS": str(columns)})
    shown = result.output.splitlines()[:-1]
    assert user in result.output
    assert len(shown) == lines
    assert [line for line in shown if len(line) > columns and len(line.split()) > 1] == []


async def test_verify_escapes_control_characters(path: Path, corrupt: Corrupt) -> None:
    corrupt("lane = 'c:' || char(27) || '[2J'")
    assert "\\x1b[2J" in (await invoke("spool", "verify", path)).output


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("sqlite:{folder}/spool.db", 0, "4 envelopes waiting"),
        ("sqlite:{folder}/missing.db", 1, "missing.db: name its file, or the settings"),
        ("memory:", 1, "the settings keep the spool in memory"),
    ],
)
async def test_verify_without_a_path_uses_the_settings(path: Path, url: str, code: int, words: str) -> None:
    url = url.format(folder=path.parent)
    variables = {"INTERCOMD_SPOOL_URL": url, "INTERCOMD_APP_ID": "abc", "INTERCOMD_ACCESS_TOKEN": "token"}
    result = await invoke("spool", "verify", env=variables)
    assert (result.exit_code, words in result.output) == (code, True)


@pytest.mark.parametrize("command", ["verify", "export", "repair"])
async def test_spool_commands_refuse_a_spool_that_is_open(path: Path, command: str) -> None:
    lock = await hold(str(path), 0.0)
    before = content(path)
    result = await invoke("spool", command, path)
    assert result.exit_code == 1
    assert f"has {path} open: stop that daemon first" in result.output
    assert "process " in result.output
    assert content(path) == before
    lock.release()


@pytest.mark.parametrize("command", ["verify", "export", "repair"])
@pytest.mark.parametrize("text", ["somebody's notes\n" * 300, ""])
async def test_spool_commands_refuse_a_file_that_is_not_a_spool(path: Path, command: str, text: str) -> None:
    write(path, text)
    result = await invoke("spool", command, path)
    assert result.exit_code == 1
    assert f"Error: {path} " in result.output
    assert content(path) == text.encode()


async def test_verify_of_a_missing_path_is_a_usage_error(tmp_path: Path) -> None:
    assert (await invoke("spool", "verify", tmp_path / "missing.db")).exit_code == 2


async def exported(path: Path, *words: str) -> tuple[int, list[Envelope], str]:
    result = await invoke("spool", "export", path, *words)
    envelopes = [ParseDict(json.loads(line), Envelope()) for line in result.stdout.splitlines()]
    return result.exit_code, envelopes, result.stderr


async def test_export_writes_waiting_envelopes_in_order(path: Path) -> None:
    code, envelopes, errors = await exported(path)
    assert (code, errors) == (0, f"{path}: 4 envelopes written; nothing is damaged\n")
    assert [each.envelope_id for each in envelopes] == ["id-1", "id-2", "id-3", "id-4"]
    assert [each.event_time.seconds for each in envelopes] == [1_749_999_000 + number for number in range(1, 5)]
    assert {each.connection for each in envelopes} == {"eu"}


async def test_export_includes_dead_letters_on_request(path: Path) -> None:
    code, envelopes, _ = await exported(path, "--dead-letters")
    assert (code, [each.envelope_id for each in envelopes]) == (0, [f"id-{number}" for number in range(5)])


async def test_export_of_a_damaged_spool_writes_what_is_readable(path: Path, corrupt: Corrupt) -> None:
    corrupt("data = x'0102'")
    code, envelopes, errors = await exported(path)
    assert (code, len(envelopes)) == (1, 3)
    assert "2 bytes are too few for a record" in errors
    assert errors.endswith(": 3 envelopes written; 1 damage found\n")
    code, envelopes, errors = await exported(path, "--json")
    assert (code, len(envelopes)) == (1, 3)
    assert json.loads(errors) == {"path": str(path), "written": 3, "damaged": 1, "lost": 0}


async def test_export_reports_an_envelope_that_json_cannot_represent(files: corruption.Files, tmp_path: Path) -> None:
    path = corruption.put(files, tmp_path)
    spool = await opened(path)
    strange = AcceptedEnvelope(
        "strange", "ann", "", 1_750_000_000.0, (UpdateContact({"plan": "pro"}),), (), "", b"\xff"
    )
    await spool.append([Incoming("eu", Priority.NORMAL, "c:ann", "strange", record.pack(strange))])
    await spool.close()
    code, envelopes, errors = await exported(path)
    assert (code, len(envelopes)) == (1, 4)
    assert "envelope strange: " in errors


async def test_repair_leaves_a_sound_spool_unchanged(path: Path) -> None:
    before = content(path)
    result = await invoke("spool", "repair", path)
    assert (result.exit_code, "nothing is damaged, and nothing was changed" in result.output) == (0, True)
    assert kept_beside(path) == []
    assert content(path) == before


@pytest.mark.parametrize("as_json", [False, True])
async def test_repair_rebuilds_a_damaged_spool_and_keeps_it(path: Path, corrupt: Corrupt, as_json: bool) -> None:
    corrupt("lane = 'c:eve'")
    before = content(path)
    result = await invoke("spool", "repair", path, *["--json"][: int(as_json)])
    assert result.exit_code == 0
    (kept,) = kept_beside(path)
    assert content(kept) == before
    if as_json:
        damage, summary = map(json.loads, result.output.splitlines())
        assert damage["reason"] == "the row checksum does not match"
        assert (summary["kept"], summary["waiting"], summary["lost"]) == (str(kept), 3, 1)
    else:
        assert f"the damaged spool is kept as {kept}" in result.output
        assert (
            ": rebuilt; 3 envelopes waiting, 1 dead letter, 1 outcome; 1 damage found, and 1 waiting" in result.output
        )
    assert (await invoke("spool", "verify", path)).exit_code == 0


async def test_repair_without_disk_space_leaves_the_spool(path: Path, corrupt: Corrupt) -> None:
    corrupt("lane = 'c:eve'")
    before = content(path)
    stand_in_the_way(path)
    result = await invoke("spool", "repair", path)
    assert (result.exit_code, "look at the disk's room" in result.output) == (1, True)
    assert content(path) == before


async def test_verify_reports_a_missing_log_until_a_daemon_opens_the_spool(path: Path) -> None:
    lock = await hold(str(path), 0.0)
    lock.opened()
    lock.release()
    for _ in range(2):
        result = await invoke("spool", "verify", path)
        assert (result.exit_code, f"{path}-wal is missing" in result.output) == (1, True)
    damages: list[str] = []
    await (await opened(path, damages)).close()
    assert len(damages) == 1
    assert (await invoke("spool", "verify", path)).exit_code == 0
