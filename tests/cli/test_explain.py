"""Tests `intercomd explain`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from daemons.commands import Command, invoke
from daemons.process import WAIT_SECONDS, Daemon, connection_for
from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.layout import display_width
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

Launch = Callable[..., Awaitable[Command]]


async def explain(daemon: Daemon, *words: object, columns: int = 0) -> list[str]:
    """Returns the lines of a successful command."""
    environment = {"COLUMNS": str(columns)} if columns else {}
    result = await invoke("explain", *words, "--operations", daemon.operations_address, env=environment)
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


async def pause(daemon: Daemon) -> None:
    await daemon.heard("connection", state="delivering")
    await daemon.operations.PauseConnection(messages.PauseConnectionRequest())


async def resume(daemon: Daemon) -> None:
    await daemon.operations.ResumeConnection(messages.ResumeConnectionRequest())


async def test_explain_finds_customer_id_email_and_envelope_id(daemon: Daemon) -> None:
    await daemon.publish(envelope("known", "opened", email="Known@example.com", envelope_id="t-1"))
    await daemon.ended(["t-1"])
    for identifier in ("known", "known@example.com", "KNOWN@example.com", "t-1"):
        first, blank, heading, *details = await explain(daemon, identifier)
        assert first.startswith("Envelope t-1 of known (contact, event opened) reached Intercom at ")
        assert blank == ""
        assert heading.endswith("  delivered")
        assert details[0].startswith("    envelope t-1 of known in default, accepted ")
        assert details[2].startswith("    event opened of ")


async def test_explain_names_the_remedy_of_a_dead_letter(daemon: Daemon, sandbox: Sandbox) -> None:
    sandbox.workspace.archive(sandbox.workspace.add_contact(external_id="gone").id)
    await daemon.publish(envelope("gone", update={"plan": "pro"}, envelope_id="t-2"))
    await daemon.ended(["t-2"])
    lines = await explain(daemon, "gone")
    assert "was refused by Intercom" in lines[0]
    assert "contact, CONTACT_ARCHIVED" in lines[0]
    assert lines[-1].startswith("    What to do: Restore the contact")
    (entry,) = [json.loads(line) for line in await explain(daemon, "gone", "--json")]
    assert entry["outcome"]["type"] == "OUTCOME_TYPE_DEAD_LETTERED"
    assert f"`intercomd dead-letters show {entry['dead_letter_id']}`" in lines[-1]


async def test_explain_finds_a_waiting_envelope_by_every_id(daemon: Daemon) -> None:
    await pause(daemon)
    await daemon.publish(envelope("waiting", "later", email="waiting@example.com", envelope_id="t-3"))
    shown = [await explain(daemon, identifier) for identifier in ("t-3", "waiting", "waiting@example.com")]
    (entry,) = [json.loads(line) for line in await explain(daemon, "waiting", "--json")]
    await resume(daemon)
    await daemon.ended(["t-3"])
    for lines in shown:
        assert lines[0].startswith("Envelope t-3 of waiting (event later) has waited since ")
        assert lines[0].endswith(": an operator has paused connection default.")
        assert "    What to do: Resume the connection: `intercomd resume default`." in lines
    assert (entry["waiting"]["reason"], entry["waiting"]["envelope"]["envelope_id"]) == ("PAUSED", "t-3")


async def test_explain_counts_what_did_not_arrive(daemon: Daemon) -> None:
    """One delivered and one rejected event of a user: not everything is in Intercom."""
    await daemon.publish(envelope("half", "seen", envelope_id="half-1"), envelope("half", " ", envelope_id="half-2"))
    await daemon.ended(["half-1"])
    lines = await explain(daemon, "half")
    assert lines[0].startswith("Intercom has 1 of 2 envelopes of half; envelope half-2 of half")
    assert "was rejected at " in lines[0]
    assert "(EVENT_NAME_REQUIRED)" in lines[0]
    assert "    What to do: Name the event. The daemon keeps no copy: send it again after that." in lines


async def test_explain_shows_an_id_of_an_envelope_and_a_user(daemon: Daemon) -> None:
    await daemon.publish(
        envelope("both", "one", envelope_id="by-user"), envelope("somebody", "two", envelope_id="both")
    )
    await daemon.ended(["by-user", "both"])
    lines = await explain(daemon, "both")
    assert lines[0].startswith("both is the id of an envelope and of a user: envelope both of somebody ")
    assert "; Envelope by-user of both" in lines[0]
    assert len(await explain(daemon, "both", "--json")) == 2


async def test_explain_takes_a_customer_id_that_looks_like_an_email(daemon: Daemon) -> None:
    await daemon.publish(
        envelope("odd@id", "one", envelope_id="odd-1"), envelope("", "two", email="odd@id", envelope_id="odd-2")
    )
    await daemon.ended(["odd-1", "odd-2"])
    assert (await explain(daemon, "odd@id"))[0] == "Intercom has all 2 envelopes of odd@id."


async def test_explain_limits_entries_and_says_that_older_ones_exist(daemon: Daemon) -> None:
    names = [f"many-{number}" for number in range(3)]
    await daemon.publish(*(envelope("many", "one", envelope_id=name) for name in names))
    await daemon.ended(names)
    lines = await explain(daemon, "many", "--limit", 2)
    assert lines[0] == "Intercom has the newest 2 envelopes of many."
    assert lines[-1] == "Older entries exist: --limit shows more."
    assert len(await explain(daemon, "many", "--json", "--limit", 3)) == 3
    result = await invoke("explain", "many", "--json", "--limit", 2, "--operations", daemon.operations_address)
    assert (len(result.stdout.splitlines()), result.stderr) == (2, f"{lines[-1]}\n")


async def test_explain_shows_tries_status_and_the_next_attempt(daemon: Daemon, sandbox: Sandbox) -> None:
    fault = sandbox.fault("POST /events 500 containing=stubborn")
    await daemon.publish(envelope("stubborn", "stuck", envelope_id="stuck-1"))
    async with asyncio.timeout(WAIT_SECONDS):
        while "RETRYING" not in (lines := await explain(daemon, "stubborn"))[2]:
            pass
    assert "the last call for this user failed with status 500" in lines[0]
    assert any(line.endswith(" made for it; last status 500") for line in lines)
    assert any(line.startswith("    next attempt: 20") for line in lines)
    assert fault.hit
    sandbox.faults.clear()
    await daemon.ended(["stuck-1"])


async def test_explain_names_the_reason_of_a_suspension(daemon: Daemon, sandbox: Sandbox) -> None:
    await daemon.heard("connection", state="delivering")
    sandbox.fault("* 401")
    await daemon.publish(envelope("refused", "later", envelope_id="suspended-1"))
    await daemon.heard("connection", state="suspended")
    lines = await explain(daemon, "refused", columns=140)
    sandbox.faults.clear()
    await invoke("retry", "default", "--operations", daemon.operations_address)
    await daemon.ended(["suspended-1"])
    assert "the access of connection default to Intercom is wrong (UNAUTHORIZED)" in lines[0]
    assert lines[1].startswith("default is suspended since ")
    assert "Put a valid token into access_token_file." in lines[1]
    assert any("default: last error: " in line for line in lines[1:4])
    assert any(line.endswith("  waiting: SUSPENDED") for line in lines)


@pytest.mark.parametrize("identifier", ["nobody", "n" * 300, "n@example.com", "\x1b[31mn"])
async def test_explain_of_an_unknown_id_fails(daemon: Daemon, identifier: str) -> None:
    result = await invoke("explain", identifier, "--operations", daemon.operations_address)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("The daemon knows nothing of ")
    assert "A killed daemon forgets what it rejected" in " ".join(result.stderr.split())
    assert "\x1b" not in result.stderr


async def test_explain_of_bytes_that_are_not_utf_8_is_a_usage_error(daemon: Daemon, launch: Launch) -> None:
    command = await launch("explain", "c-\udcff", "--operations", daemon.operations_address)
    code, output, errors = await command.ended()
    assert (code, output, "is not UTF-8" in errors) == (2, "", True)


async def test_explain_reports_an_unknown_connection(daemon: Daemon) -> None:
    result = await invoke("explain", "1", "--connection", "typo", "--operations", daemon.operations_address)
    assert result.exit_code == 1
    assert result.stderr.startswith("warning: the daemon has no connection typo; it has: default\n")


@pytest.mark.parametrize("columns", [80, 140])
async def test_explain_fits_the_terminal_and_keeps_the_widest_ids_whole(daemon: Daemon, columns: int) -> None:
    widest, user = f"é{columns:03}" + "é" * 61, f"客{columns:03}" + "u" * 251
    await daemon.publish(envelope(user, "opened", envelope_id=widest))
    await daemon.ended([widest])
    lines = await explain(daemon, user, columns=columns)
    assert widest in lines[0]
    assert user in lines[0]
    for line in lines[1:]:
        assert display_width(line) <= columns or len(line.split()) == 1
    assert any(widest in line for line in lines[1:])


async def test_explain_limits_to_a_connection(tmp_path: Path, sandbox: Sandbox) -> None:
    other = {"connections": {"eu": connection_for(sandbox.base_url, tmp_path / "token")}}
    daemon = await Daemon(tmp_path, sandbox.base_url, other).start()
    await daemon.publish(envelope("two", "one", envelope_id="c-1"))
    await daemon.publish(envelope("two", "one", envelope_id="c-2", connection="eu"))
    await daemon.ended(["c-1", "c-2"])
    assert (await explain(daemon, "two"))[0] == "Intercom has all 2 envelopes of two."
    assert (await explain(daemon, "two", "--connection", "eu"))[0].startswith("Envelope c-2 of two")
    await daemon.close()


async def test_explain_shows_why_access_is_not_verified(tmp_path: Path) -> None:
    daemon = await Daemon(tmp_path, "http://127.0.0.1:1").start()
    await daemon.publish(envelope("early", "one", envelope_id="v-1"))
    await daemon.heard("connection", state="verifying")
    lines = await explain(daemon, "early")
    assert "the daemon is checking the access of connection default to Intercom" in lines[0]
    assert lines[1] == "default: last error: GET /me: the host cannot be reached"
    await daemon.close()
