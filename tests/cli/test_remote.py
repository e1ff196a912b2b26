"""Calls to a daemon that do not come to an answer: one line, with the remedy."""

import socket

import pytest
from commands import invoke
from daemons import Daemon

from intercomd_daemon.cli.addresses import OPERATIONS
from intercomd_daemon.cli.failures import Misconfigured
from intercomd_daemon.cli.remote import resolved

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMANDS = (("status",), ("watch",), ("explain", "42"), ("dead-letters", "list"), ("dead-letters", "replay", "--yes"))


def free_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("words", COMMANDS)
async def test_a_daemon_that_is_not_there_is_one_line_with_the_remedy(words: tuple[str, ...]) -> None:
    result = await invoke(*words, "--operations", free_address())
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "`intercomd run`" in result.stderr


async def test_the_door_for_senders_is_not_the_operations_address(daemon: Daemon) -> None:
    result = await invoke("status", "--operations", daemon.ingest_address)
    assert (result.exit_code, "not intercomd's operations address" in result.stderr) == (1, True)


async def test_what_the_daemon_refuses_is_said_in_its_words(daemon: Daemon) -> None:
    result = await invoke("watch", "--operations", daemon.operations_address, "--after", 1_000_000)
    assert (result.exit_code, "no sequence of this journal" in result.stderr) == (1, True)


async def test_an_address_comes_from_the_command_line_first() -> None:
    assert resolved("host:1", OPERATIONS, "/nowhere.toml") == "host:1"
    with pytest.raises(Misconfigured):
        resolved(None, OPERATIONS, "/nowhere.toml")
