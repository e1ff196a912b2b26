"""Tests `intercomd watch`."""

import json
from collections.abc import Awaitable, Callable

import pytest

from daemons.commands import Command, invoke
from daemons.process import Daemon
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
