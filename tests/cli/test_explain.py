"""Tests `intercomd explain`."""

import json

import pytest

from daemons.commands import invoke
from daemons.process import Daemon
from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.explain import not_found_text
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_explain_finds_customer_id_email_and_envelope_id(daemon: Daemon) -> None:
    await daemon.publish(envelope("told", "opened", email="Told@example.com", envelope_id="t-1"))
    await daemon.ended(["t-1"])
    for identifier in ("told", "told@example.com", "t-1"):
        result = await invoke("explain", identifier, "--operations", daemon.operations_address)
        assert result.exit_code == 0
        assert "t-1 of told in default" in result.stdout
        assert "Intercom accepted it." in result.stdout
        assert "event 'opened'" in result.stdout


async def test_explain_names_the_remedy_of_a_dead_letter(daemon: Daemon, sandbox: Sandbox) -> None:
    sandbox.workspace.archive(sandbox.workspace.add_contact(external_id="gone").id)
    await daemon.publish(envelope("gone", update={"plan": "pro"}, envelope_id="t-2"))
    await daemon.ended(["t-2"])
    result = await invoke("explain", "gone", "--operations", daemon.operations_address)
    assert "CONTACT_ARCHIVED" in result.stdout
    assert "What to do: Restore the contact" in result.stdout
    result = await invoke("explain", "gone", "--operations", daemon.operations_address, "--json")
    assert [next(iter(json.loads(line))) for line in result.stdout.splitlines()] == ["outcome", "dead_letter"]


async def test_explain_finds_a_waiting_envelope(daemon: Daemon) -> None:
    await daemon.operations.PauseConnection(messages.PauseConnectionRequest())
    await daemon.publish(envelope("waiting", "later", envelope_id="t-3"))
    result = await invoke("explain", "t-3", "--operations", daemon.operations_address)
    await daemon.operations.ResumeConnection(messages.ResumeConnectionRequest())
    await daemon.ended(["t-3"])
    assert (result.exit_code, "t-3 of waiting in default" in result.stdout) == (0, True)
    assert "It is waiting for its turn" in result.stdout


@pytest.mark.parametrize("identifier", ["nobody", "n" * 300])
async def test_explain_of_an_unknown_id_fails(daemon: Daemon, identifier: str) -> None:
    result = await invoke("explain", identifier, "--operations", daemon.operations_address)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Nothing is known about n")


async def test_not_found_text_depends_on_waiting_envelopes() -> None:
    assert "no envelope is waiting now" in not_found_text("x", 0)
    assert "1 envelope of all users" in not_found_text("x", 1)
