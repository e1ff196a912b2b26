"""Tests `intercomd watch`."""

import json
from collections.abc import Awaitable, Callable

import pytest

from daemons.commands import Command, invoke
from daemons.process import Daemon
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

Launch = Callable[..., Awaitable[Command]]


async def test_watch_prints_new_outcomes_until_ctrl_c(daemon: Daemon, launch: Launch) -> None:
    watch = await launch("watch", "--operations", daemon.operations_address)
    assert "Ctrl-C ends it" in await watch.error()
    await daemon.publish(envelope("watched", "seen", envelope_id="w-1"))
    shown = (await watch.line()).split()
    watch.interrupt()
    assert await watch.ended() == (0, "", "")
    assert shown[1:] == ["default", "delivered", "watched", "event", "seen", "w-1"]


async def test_watch_prints_the_journal_by_filter_as_json(daemon: Daemon) -> None:
    await daemon.publish(envelope("filtered", "one", envelope_id="f-1"), envelope("other", "two", envelope_id="f-2"))
    await daemon.ended(["f-1", "f-2"])
    words = ("--after", 0, "--customer-id", "filtered", "--type", "delivered", "--count", 1, "--json")
    result = await invoke("watch", "--operations", daemon.operations_address, *words)
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert (json.loads(line)["envelope_id"], json.loads(line)["type"]) == ("f-1", "OUTCOME_TYPE_DELIVERED")


@pytest.mark.parametrize("after", [1 << 40, 1 << 63, 10**30])
async def test_watch_after_an_outcome_that_does_not_exist_is_refused(daemon: Daemon, after: int) -> None:
    result = await invoke("watch", "--operations", daemon.operations_address, "--after", after)
    assert (result.exit_code, "is not a sequence of this journal" in result.stderr) == (1, True)


async def test_watch_names_only_the_call_that_failed(daemon: Daemon, sandbox: Sandbox) -> None:
    sandbox.fault("POST /events 422 times=1")
    await daemon.publish(envelope("half", "refused", update={"plan": "pro"}, envelope_id="h-1"))
    await daemon.ended(["h-1"])
    words = ("--after", 0, "--envelope-id", "h-1", "--count", 1)
    result = await invoke("watch", "--operations", daemon.operations_address, *words)
    fields = result.stdout.split("  ")
    assert fields[2:] == ["dead-lettered", "half", "event refused", "REQUEST_INVALID status 422", "h-1\n"]


@pytest.mark.parametrize(("columns", "lines"), [(80, 2), (140, 1)])
async def test_watch_fits_the_terminal(daemon: Daemon, columns: int, lines: int) -> None:
    uuid = f"0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c{columns}"[:36]
    await daemon.publish(envelope("narrow", "opened", envelope_id=uuid))
    await daemon.ended([uuid])
    words = ("--after", 0, "--envelope-id", uuid, "--count", 1)
    environment = {"COLUMNS": str(columns)}
    result = await invoke("watch", "--operations", daemon.operations_address, *words, env=environment)
    shown = result.stdout.splitlines()
    assert len(shown) == lines
    assert max(map(len, shown)) <= columns
    assert shown[-1].endswith(uuid)


@pytest.mark.parametrize("name", ["erased", "unspecified", "DELIVERED", ""])
async def test_watch_refuses_a_type_that_does_not_occur(name: str) -> None:
    result = await invoke("watch", "--type", "delivered", "--type", name)
    assert result.exit_code == 2
    assert f"Invalid value for '--type': {name!r} is not one of 'delivered'" in result.stderr


@pytest.mark.parametrize("option", ["--connection", "--customer-id", "--email", "--envelope-id"])
async def test_watch_refuses_a_blank_filter(option: str) -> None:
    result = await invoke("watch", option, " ")
    assert (result.exit_code, "is a shell variable unset" in result.stderr) == (2, True)


async def test_watch_reports_an_unknown_connection(daemon: Daemon, launch: Launch) -> None:
    watch = await launch("watch", "--operations", daemon.operations_address, "--connection", "typo")
    assert "Ctrl-C ends it" in await watch.error()
    assert await watch.error() == "warning: the daemon has no connection typo; it has: default\n"
    watch.interrupt()
    assert await watch.ended() == (0, "", "")
