"""Two daemons on one spool as their operators see them: what one of them is asked, the one that delivers does."""

import asyncio
import json
import signal
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import click
import grpc
import pytest

from daemons.commands import invoke
from daemons.process import WAIT_SECONDS, Daemon
from database.server import spool_url
from intercom.fault_proxy import FaultProxy
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE

DEFAULT = {"connection": "default"}
DELIVERED, DEAD, DISCARDED = (
    OutcomeType.OUTCOME_TYPE_DELIVERED,
    OutcomeType.OUTCOME_TYPE_DEAD_LETTERED,
    OutcomeType.OUTCOME_TYPE_DISCARDED,
)


class Pair(NamedTuple):
    """The daemon that delivers, and the one that operators call."""

    owner: Daemon
    called: Daemon
    sandbox: Sandbox


def event(name: str, user: str = "ann") -> Envelope:
    return Envelope(envelope_id=name, identity=Identity(customer_id=user), custom_event=CustomEvent(name="came"))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(recorded=NONE)) as running:
        yield running
        assert running.illegal_requests == []


@pytest.fixture
async def intercom(sandbox: Sandbox) -> AsyncIterator[FaultProxy]:
    """The sandbox behind a proxy that can keep its responses back."""
    async with FaultProxy(sandbox.base_url, seed=1) as proxy:
        yield proxy


@pytest.fixture
def lease() -> str:
    """How long a lease lasts: longer than a busy machine stops a daemon."""
    return "60s"


@pytest.fixture
async def pair(tmp_path: Path, sandbox: Sandbox, intercom: FaultProxy, lease: str) -> AsyncIterator[Pair]:
    url = spool_url()
    async with AsyncExitStack() as closing:
        daemons = []
        for name in ("owner", "called"):
            (tmp_path / name).mkdir()
            tables = {"spool": {"url": url}, "fleet": {"daemon_id": name, "lease": lease}}
            daemons.append(await Daemon(tmp_path / name, intercom.base_url, tables).start())
            closing.push_async_callback(daemons[-1].close)
            if name == "owner":
                await daemons[0].heard("connection", state="delivering")
        yield Pair(daemons[0], daemons[1], sandbox)


async def trail(daemon: Daemon, customer_id: str) -> list[str]:
    found = await daemon.operations.ListTrail(messages.ListTrailRequest(customer_id=customer_id))
    shown = []
    for entry in found.entries:
        if entry.HasField("waiting"):
            shown.append(f"{entry.waiting.envelope.envelope_id} waits: {entry.waiting.reason}")
        elif entry.HasField("outcome"):
            shown.append(f"{entry.outcome.envelope_id} ended")
        else:
            shown.append(f"{entry.refusal.envelope_id} refused")
    return shown


async def status(daemon: Daemon) -> messages.GetStatusResponse:
    return await daemon.operations.GetStatus(messages.GetStatusRequest())


async def until_status(daemon: Daemon, state: int, delivered_by: str) -> messages.ConnectionStatus:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            shown = await daemon.connection()
            if (shown.state, shown.delivered_by) == (state, delivered_by):
                return shown


async def test_pause_resumption_and_retry_reach_the_daemon_that_delivers(pair: Pair) -> None:
    owner, called, sandbox = pair
    paused = await called.operations.PauseConnection(messages.PauseConnectionRequest(**DEFAULT))
    assert (paused.connection.state, paused.connection.delivered_by) == (messages.CONNECTION_STATE_PAUSED, "owner")
    await owner.heard("connection", state="paused")
    await called.publish(event("one"))
    assert await trail(called, "ann") == ["one waits: PAUSED"]
    fault = sandbox.fault("* 401")
    await called.operations.ResumeConnection(messages.ResumeConnectionRequest(**DEFAULT))
    await owner.heard("connection", state="suspended")
    shown = await until_status(called, messages.CONNECTION_STATE_SUSPENDED, "owner")
    assert shown.suspended_reason == "UNAUTHORIZED"
    assert await trail(called, "ann") == ["one waits: SUSPENDED"]
    await sandbox.wait_for(lambda _: fault.hit >= 2)
    sandbox.faults.clear()
    await called.operations.RetryConnection(messages.RetryConnectionRequest(**DEFAULT))
    await owner.ended(["one"])
    assert [each.name for each in sandbox.events] == ["came"]


async def test_give_up_waits_for_the_call_of_the_daemon_that_delivers(pair: Pair, intercom: FaultProxy) -> None:
    owner, called, sandbox = pair
    sandbox.workspace.add_contact("ann")
    intercom.holding = True
    await called.publish(event("in flight"), event("behind"))
    await intercom.until(lambda: intercom.open)
    calls = [
        called.operations.GiveUpEnvelope(messages.GiveUpEnvelopeRequest(envelope_id=name))
        for name in ("in flight", "behind")
    ]
    # No further call of the user leaves, however late the orders arrive.
    await called.operations.PauseConnection(messages.PauseConnectionRequest(**DEFAULT))
    intercom.let_go()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[0], grpc.aio.AioRpcError)
    assert answers[0].code() is grpc.StatusCode.NOT_FOUND
    assert answers[1].outcome.reason == "GIVEN_UP"
    await owner.ended(["in flight", "behind"])
    assert {each.envelope_id: each.type for each in await called.journal()} == {"in flight": DELIVERED, "behind": DEAD}
    assert len(sandbox.events) == 1


@pytest.mark.parametrize("lease", ["5s"])
async def test_order_outlives_the_daemon_that_delivers(pair: Pair) -> None:
    """It is stopped amid its work, and killed: the next one obeys, once."""
    owner, called, sandbox = pair
    sandbox.fault("* 503")
    await called.publish(event("stuck"))
    await sandbox.wait_for(lambda sandbox: any(call.status == 503 for call in sandbox.calls))
    owner.signal(signal.SIGSTOP)
    given_up = asyncio.ensure_future(
        called.operations.GiveUpEnvelope(messages.GiveUpEnvelopeRequest(envelope_id="stuck"))
    )
    paused = await called.operations.PauseConnection(messages.PauseConnectionRequest(**DEFAULT))
    assert paused.connection.state == messages.CONNECTION_STATE_PAUSED
    outcome = (await given_up).outcome
    assert outcome.reason == "GIVEN_UP"
    owner.signal(signal.SIGKILL)
    owner.signal(signal.SIGCONT)
    await owner.gone()
    assert [each.sequence for each in await called.journal()] == [outcome.sequence]
    sandbox.faults.clear()
    await called.publish(event("next"))
    await called.operations.ResumeConnection(messages.ResumeConnectionRequest(**DEFAULT))
    await called.ended(["next"])
    assert len(sandbox.events) == 1
    alive: dict[str, bool] = {}
    async with asyncio.timeout(WAIT_SECONDS):  # The status is what was last read of the database.
        while alive != {"called": True, "owner": False}:
            fleet = (await status(called)).fleet
            alive = {each.daemon_id: each.alive for each in fleet.members}
    (delivery,) = fleet.deliveries
    assert (delivery.delivered, delivery.daemon_id, delivery.previous_daemon_id) == (True, "called", "owner")


async def test_watch_trail_and_dead_letters_are_the_same_at_every_daemon(pair: Pair) -> None:
    owner, called, sandbox = pair
    watch = called.operations.WatchOutcomes(messages.WatchOutcomesRequest())
    await watch.initial_metadata()
    sandbox.fault("POST /events 422")
    await owner.publish(event("one"), event("two", "bob"), Envelope(envelope_id="empty", identity=event("").identity))
    await owner.ended(["one", "two"])
    sandbox.faults.clear()
    async with asyncio.timeout(WAIT_SECONDS):
        watched = [(await watch.read()).outcome for _ in range(2)]
        assert sorted(each.envelope_id for each in watched) == ["one", "two"]
        while await trail(called, "ann") != ["one ended", "empty refused"]:
            assert len(await trail(called, "ann")) <= 2
    letters = await called.operations.ListDeadLetters(messages.ListDeadLettersRequest())
    assert {each.outcome.envelope_id for each in letters.dead_letters} == {"one", "two"}
    bob = messages.DeadLetterFilter(customer_id="bob")
    discarding = messages.DiscardDeadLettersRequest(filter=bob, expected_count=1)
    assert (await called.operations.DiscardDeadLetters(discarding)).count == 1
    replaying = messages.ReplayDeadLettersRequest(expected_count=1)
    assert (await called.operations.ReplayDeadLetters(replaying)).count == 1
    await owner.until(lambda: owner.outcomes["one"] == 2)
    async with asyncio.timeout(WAIT_SECONDS):
        watched = [(await watch.read()).outcome for _ in range(2)]
    assert {each.envelope_id: each.type for each in watched} == {"one": DELIVERED, "two": DISCARDED}
    assert await trail(called, "bob") == ["two ended"]
    watch.cancel()


async def metrics(daemon: Daemon) -> dict[str, float]:
    def read() -> str:
        with urllib.request.urlopen(f"http://{daemon.http_address}/metrics") as response:
            return str(response.read().decode())

    lines = [line for line in (await asyncio.to_thread(read)).splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def test_status_and_metrics_show_the_fleet(pair: Pair) -> None:
    owner, called, _ = pair
    await until_status(called, messages.CONNECTION_STATE_DELIVERING, "owner")
    shown = await invoke("status", "--operations", called.operations_address)
    assert shown.exit_code == 0
    lines = [click.unstyle(line) for line in shown.stdout.splitlines()]
    assert [line.split()[:2] for line in lines if line.startswith(("called", "owner"))] == [
        ["called", "*"],
        ["owner", "running"],
    ]
    assert any(line.startswith("default: delivered by owner since") for line in lines)
    document = json.loads((await invoke("status", "--operations", called.operations_address, "--json")).stdout)
    assert document["fleet"]["daemon_id"] == "called"
    assert not any(member.get("differing_settings") for member in document["fleet"]["members"])
    delivered = 'intercomd_connection_delivered{connection="default"}'
    state = 'intercomd_connection_state{connection="default",state="delivering"}'
    async with asyncio.timeout(WAIT_SECONDS):
        while (await metrics(owner))["intercomd_fleet_daemons"] < 2:
            pass
    found = [await metrics(daemon) for daemon in (owner, called)]
    assert [each[delivered] for each in found] == [1.0, 0.0]
    assert [each.get(state) for each in found] == [1.0, None]
    assert [each["intercomd_fleet_daemons"] for each in found] == [2.0, 2.0]
    for each in found:
        assert 'intercomd_database_dead_rows{table="log"}' in each
        assert each["intercomd_database_oldest_snapshot_transactions"] >= 0
        assert each["intercomd_database_oldest_snapshot_seconds"] >= 0
        assert each["intercomd_fleet_daemons_with_other_settings"] == 0
