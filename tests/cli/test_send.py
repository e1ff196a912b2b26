"""Tests `intercomd send`."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from daemons.commands import Command, invoke
from daemons.process import Daemon
from intercomd_daemon.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

Launch = Callable[..., Awaitable[Command]]

MIXED = """\
{"identity":{"customer_id":"s-1"},"custom_event":{"name":"opened"}}

{"custom_event":{"name":"opened"}}
{"identity":
{"identity":{"customer_id":"s-1"},"other_event":{"type":"screen_view"}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.jsonl"
    path.write_text(MIXED)
    return path


async def test_send_reports_bad_lines_and_continues(daemon: Daemon, path: Path) -> None:
    rejected = path.with_name("rejected.jsonl")
    result = await invoke("send", path, "--target", daemon.ingest_address, "--rejected", rejected)
    assert (result.exit_code, result.stdout) == (
        1,
        "sent 4 = accepted 1 + duplicates 0 + skipped 1 + rejected 1 + unreadable 1\n",
    )
    named = sorted(line.partition(":")[0].split(" (")[0] for line in result.stderr.splitlines())
    assert named == ["line 3", "line 4", "line 5"]
    assert sorted(rejected.read_text().splitlines()) == sorted(MIXED.splitlines()[2:4])


async def test_send_recognizes_a_pipe_that_is_sent_again(daemon: Daemon, launch: Launch) -> None:
    line = b'{"identity":{"customer_id":"s-2"},"custom_event":{"name":"piped"}}\n'
    for disposition in ("accepted 1 + duplicates 0", "accepted 0 + duplicates 1"):
        command = await launch(
            "send", "-", "--target", daemon.ingest_address, "--wait", "--operations", daemon.operations_address
        )
        code, output, errors = await command.ended(line)
        assert (code, errors) == (0, "")
        assert output.splitlines() == [
            f"sent 1 = {disposition} + skipped 0 + rejected 0 + unreadable 0",
            "outcomes 1 = delivered 1",
        ]


async def test_send_publishes_lines_of_an_open_pipe(daemon: Daemon, launch: Launch) -> None:
    command = await launch("send", "--target", daemon.ingest_address)
    await command.write(b'{"envelope_id":"s-open","identity":{"customer_id":"s-3"},"custom_event":{"name":"now"}}\n')
    await daemon.ended(["s-open"])
    command.interrupt()
    code, output, _ = await command.ended()
    assert (code, output.startswith("sent 1 = accepted 1")) == (0, True)


async def test_send_validate_only_accepts_nothing(daemon: Daemon, path: Path) -> None:
    await daemon.idle()
    before = len(await daemon.journal())
    result = await invoke("send", path, "--target", daemon.ingest_address, "--validate-only")
    assert result.stdout == "checked 4 = accepted 1 + duplicates 0 + skipped 1 + rejected 1 + unreadable 1\n"
    assert len(await daemon.journal()) == before


async def test_send_preview_prints_calls_and_makes_none(daemon: Daemon, sandbox: Sandbox, path: Path) -> None:
    await daemon.idle()
    calls = sandbox.record.count
    result = await invoke("send", path, "--target", daemon.ingest_address, "--preview")
    assert (result.exit_code, "  POST /events\n" in result.stdout) == (1, True)
    assert sandbox.record.count == calls


async def test_send_wait_fails_on_a_dead_letter(daemon: Daemon, sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"identity":{"customer_id":"s-4"},"custom_event":{"name":"refused"}}\n')
    sandbox.workspace.add_contact(external_id="s-4")
    sandbox.fault("POST /events 422 times=1")
    words = ("--target", daemon.ingest_address, "--operations", daemon.operations_address, "--wait", "--json")
    result = await invoke("send", path, *words)
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [next(iter(each)) for each in printed] == ["line", "outcome", "summary"]
    assert printed[-1]["summary"]["outcomes"] == {"dead-lettered": 1}


async def test_send_of_an_empty_file_succeeds(daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    result = await invoke("send", path, "--target", daemon.ingest_address)
    assert (result.exit_code, result.stdout.startswith("sent 0 = ")) == (0, True)


async def test_send_without_a_daemon_prints_one_line(path: Path) -> None:
    result = await invoke("send", path, "--target", "unix:/nowhere")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)


@pytest.mark.parametrize(
    "words",
    [("--preview", "--wait"), ("--validate-only", "--preview"), ("--patience", "soon"), ("/nowhere.jsonl",)],
)
async def test_send_rejects_invalid_options(words: tuple[str, ...]) -> None:
    assert (await invoke("send", *words)).exit_code == 2
