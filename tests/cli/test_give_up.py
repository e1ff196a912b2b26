"""Tests `intercomd give-up`."""

import asyncio
import json
from pathlib import Path

import pytest

from daemons.commands import invoke
from daemons.process import WAIT_SECONDS, Daemon, connection_for
from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def run(daemon: Daemon, *words: object, given: str = "") -> tuple[int, str, str]:
    result = await invoke(*words, "--operations", daemon.operations_address, input=given)
    return result.exit_code, result.stdout, result.stderr


async def publish_waiting(daemon: Daemon, user: str) -> None:
    """Publishes two envelopes of a user, `<user>-1` and `<user>-2`, which wait because the connection is paused."""
    await daemon.heard("connection", state="delivering")
    await daemon.operations.PauseConnection(messages.PauseConnectionRequest())
    await daemon.publish(envelope(user, "one", envelope_id=f"{user}-1"), envelope(user, "two", envelope_id=f"{user}-2"))


async def resume(daemon: Daemon) -> None:
    await daemon.operations.ResumeConnection(messages.ResumeConnectionRequest())


async def test_give_up_ends_a_stuck_envelope_and_its_user_goes_on(daemon: Daemon, sandbox: Sandbox) -> None:
    fault = sandbox.fault("POST /events 500 containing=hopeless")
    await daemon.publish(
        envelope("stuck", "hopeless", envelope_id="stuck-1"), envelope("stuck", "next", envelope_id="stuck-2")
    )
    async with asyncio.timeout(WAIT_SECONDS):
        while "RETRYING" not in (await run(daemon, "explain", "stuck-1"))[1]:
            pass
    assert fault.hit
    code, output, errors = await run(daemon, "give-up", "stuck-1", given="y\n")
    assert code == 0, errors
    assert "Envelope stuck-1 of stuck (event hopeless) has waited since" in errors
    assert "failed with status 500" in errors
    assert output.splitlines()[-1].startswith("envelope stuck-1 is given up and kept as dead letter ")
    await daemon.ended(["stuck-1", "stuck-2"])
    _, output, _ = await run(daemon, "dead-letters", "list")
    assert output.startswith("1 dead letter: 1 GIVEN_UP\n")
    sandbox.faults.clear()
    assert (await run(daemon, "dead-letters", "replay", "--yes"))[0] == 0
    await daemon.until(lambda: daemon.outcomes["stuck-1"] == 2)
    assert (await run(daemon, "explain", "stuck"))[1].startswith("Intercom has all 2 envelopes of stuck.")


async def test_give_up_json_is_the_response(daemon: Daemon) -> None:
    await publish_waiting(daemon, "json")
    code, output, _ = await run(daemon, "give-up", "json-1", "--yes", "--json")
    await resume(daemon)
    response = json.loads(output)
    assert (code, response["outcome"]["reason"], response["outcome"]["envelope_id"]) == (0, "GIVEN_UP", "json-1")
    await daemon.ended(["json-1", "json-2"])
    assert (await run(daemon, "dead-letters", "discard", response["dead_letter_id"], "--yes"))[0] == 0


async def test_dead_letter_of_an_envelope_without_a_call_shows_no_response(daemon: Daemon) -> None:
    await publish_waiting(daemon, "uncalled")
    assert (await run(daemon, "give-up", "uncalled-1", "--yes"))[0] == 0
    await resume(daemon)
    await daemon.ended(["uncalled-1", "uncalled-2"])
    code, output, _ = await run(daemon, "dead-letters", "show", "uncalled-1")
    assert (code, "Intercom's response" in output, "delivers it after all" in output) == (0, False, True)
    assert (await run(daemon, "dead-letters", "discard", "--envelope-id", "uncalled-1", "--yes"))[0] == 0


@pytest.mark.parametrize("given", ["n\n", "", "\n"])
async def test_give_up_without_confirmation_changes_nothing(daemon: Daemon, given: str) -> None:
    name = f"kept{len(given)}"
    await publish_waiting(daemon, name)
    code, output, errors = await run(daemon, "give-up", f"{name}-1", given=given)
    await resume(daemon)
    assert (code, output, "Aborted" in errors) == (1, "", True)
    await daemon.ended([f"{name}-1", f"{name}-2"])


async def test_give_up_of_an_ended_envelope_says_how_it_ended(daemon: Daemon) -> None:
    await daemon.publish(envelope("ended", "seen", envelope_id="ended-1"))
    await daemon.ended(["ended-1"])
    code, output, errors = await run(daemon, "give-up", "ended-1", "--yes")
    assert (code, output) == (1, "")
    assert "envelope ended-1 does not wait. Envelope ended-1 of ended (event seen) reached Intercom" in errors


async def test_give_up_of_an_unknown_envelope_fails(daemon: Daemon) -> None:
    code, output, errors = await run(daemon, "give-up", "unknown\x1b", "--yes")
    assert (code, output) == (1, "")
    assert "envelope unknown\\x1b does not wait, and nothing is known of it" in errors


async def test_give_up_asks_for_the_connection_if_several_hold_the_id(tmp_path: Path, sandbox: Sandbox) -> None:
    other = {"connections": {"eu": connection_for(sandbox.base_url, tmp_path / "token")}}
    daemon = await Daemon(tmp_path, sandbox.base_url, other).start()
    for name in ("default", "eu"):
        await daemon.operations.PauseConnection(messages.PauseConnectionRequest(connection=name))
        await daemon.publish(envelope("two", "one", envelope_id="same", connection=name))
    code, _, errors = await run(daemon, "give-up", "same", "--yes")
    assert (code, "wait in several connections (default, eu)" in errors) == (1, True)
    assert (await run(daemon, "give-up", "same", "--connection", "eu", "--yes"))[0] == 0
    assert (await run(daemon, "give-up", "same", "--yes"))[0] == 0
    await daemon.close()
