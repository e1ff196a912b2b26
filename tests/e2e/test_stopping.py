"""Stopping: what meshes, senders and operators see of it, and that nothing is lost by it."""

import asyncio
import signal

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daemons.process import Daemon, Start
from intercom.fault_proxy import FaultProxy
from intercomd.v1.ingest_pb2 import Disposition, PublishStreamRequest
from intercomd.v1.operations_pb2 import DaemonState, GetStatusRequest, WatchOutcomesRequest
from intercomd_daemon.sandbox import Sandbox
from senders.client import Refused, converse, envelope

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
LONG = {"linger": "5m", "drain": "1h"}
"""A stop in which every phase lasts longer than a test waits."""


async def door_refuses(daemon: Daemon) -> None:
    """Waits until a stopping daemon refuses envelopes, as an open stream reports."""
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await daemon.ingest.PublishStream().read()
    Refused(ended.value).must_be_not_now()


async def test_stop_is_announced_before_the_listeners_close(start: Start) -> None:
    """NOT_SERVING on both listeners and 503 on /readyz, while what still comes is accepted; then exit code 0."""
    daemon = await start(stopping=LONG)
    watches = [
        health_pb2_grpc.HealthStub(daemon.open_channel(address)).Watch(health_pb2.HealthCheckRequest())
        for address in (daemon.ingest_address, daemon.operations_address)
    ]
    assert [(await watch.read()).status for watch in watches] == [SERVING, SERVING]
    daemon.signal(signal.SIGTERM)
    assert [(await watch.read()).status for watch in watches] == [NOT_SERVING, NOT_SERVING]
    async with aiohttp.ClientSession(f"http://{daemon.http_address}") as pages:
        async with pages.get("/readyz") as ready:
            assert ready.status == 503
        async with pages.get("/healthz") as alive:
            assert alive.status == 200
    late = await daemon.publish(envelope("u1", "Late", envelope_id="late"))
    assert late.results[0].disposition == ACCEPTED
    assert await daemon.hurry() == 0
    assert daemon.logged("stopped")


async def test_stop_finishes_calls_under_way_and_commits_them(daemon: Daemon, sandbox: Sandbox) -> None:
    """A slow answer is waited for, and its outcome written: the next start makes no call for it."""
    sandbox.workspace.add_contact("u1")
    sandbox.fault("POST /events delay=3s")
    await daemon.publish(envelope("u1", "Slow", envelope_id="slow"))
    await sandbox.wait_for(lambda sandbox: any(call.path == "/events" for call in sandbox.calls))
    assert await daemon.stop() == 0
    assert daemon.outcomes["slow"] == 1
    await daemon.start()
    assert [outcome.envelope_id for outcome in await daemon.journal()] == ["slow"]
    assert len(sandbox.events) == 1
    assert not sandbox.repeats


async def test_requests_during_a_drain_are_refused_with_the_time_to_wait(daemon: Daemon, sandbox: Sandbox) -> None:
    """A stream ends after its answers, and a further request is refused with the time to wait; neither is taken."""
    sandbox.workspace.add_contact("u1")
    sandbox.fault("POST /events hang")
    stream = daemon.ingest.PublishStream()
    await stream.write(PublishStreamRequest(sequence=1, envelopes=[envelope("u1", "Held", envelope_id="held")]))
    assert (await stream.read()).results[0].disposition == ACCEPTED
    await sandbox.wait_for(lambda sandbox: any(call.path == "/events" for call in sandbox.calls))
    daemon.signal(signal.SIGTERM)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stream.read()
    Refused(ended.value).must_be_not_now()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await daemon.publish(envelope("u2", "Refused", envelope_id="refused"))
    Refused(ended.value).must_be_not_now()
    sandbox.faults.clear()
    await sandbox.stop()
    assert await daemon.gone() == 0
    await sandbox.start()
    await daemon.start()
    await daemon.ended(["held"])
    assert (await daemon.publish(envelope("u2", "Refused", envelope_id="refused"))).results[0].disposition == ACCEPTED


async def test_second_signal_stops_at_once_and_loses_nothing(start: Start, sandbox: Sandbox) -> None:
    """A call that is never answered would hold it for the whole of the drain."""
    daemon = await start(stopping=LONG)
    sandbox.workspace.add_contact("u1")
    sandbox.fault("POST /events hang")
    await daemon.publish(envelope("u1", "Held", envelope_id="held"))
    await sandbox.wait_for(lambda sandbox: any(call.path == "/events" for call in sandbox.calls))
    daemon.signal(signal.SIGTERM)
    await daemon.heard("draining")
    daemon.signal(signal.SIGTERM)
    assert await daemon.gone() == 0
    assert not daemon.outcomes["held"]
    sandbox.faults.clear()
    await daemon.start()
    await daemon.ended(["held"])


@pytest.mark.parametrize(("last", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)], ids=str)
async def test_interrupted_drain_loses_nothing(start: Start, sandbox: Sandbox, last: signal.Signals, code: int) -> None:
    """By a second signal, or by a platform whose grace is shorter: the call under way is made again, and no other."""
    daemon = await start(stopping={"drain": "1h"})
    sandbox.workspace.add_contact("u1")
    sandbox.fault("POST /events hang-after times=1")
    names = ["first", "second"]
    await daemon.publish(*(envelope("u1", name.title(), at=n, envelope_id=name) for n, name in enumerate(names)))
    await sandbox.wait_for(lambda sandbox: len(sandbox.events) == 1)
    daemon.signal(signal.SIGTERM)
    await door_refuses(daemon)
    daemon.signal(last)
    assert await daemon.gone() == code
    assert not daemon.outcomes
    await daemon.start()
    await daemon.ended(names)
    assert [event.name for event in sandbox.events] == ["First", "Second"]
    assert [event.name for event in sandbox.repeats] == ["First"]


async def test_operators_are_served_until_the_end_of_a_stop(start: Start, sandbox: Sandbox) -> None:
    """Calls are refused while they are drained; the watch sends the last outcome, and then why it ends."""
    sandbox.workspace.add_contact("u1")
    async with FaultProxy(sandbox.base_url, seed=1) as intercom:
        daemon = await start(connections={"default": {"base_url": intercom.base_url}})
        await daemon.heard("connection", state="delivering")
        watch = daemon.operations.WatchOutcomes(WatchOutcomesRequest())
        await watch.initial_metadata()
        intercom.holding = True
        await daemon.publish(envelope("u1", "Slow", envelope_id="slow"))
        await sandbox.wait_for(lambda sandbox: any(call.path == "/events" for call in sandbox.calls))
        daemon.signal(signal.SIGTERM)
        await door_refuses(daemon)
        assert (await daemon.operations.GetStatus(GetStatusRequest())).state == DaemonState.DAEMON_STATE_DRAINING
        intercom.let_go()
        assert (await watch.read()).outcome.envelope_id == "slow"
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await watch.read()
        Refused(ended.value).must_be_not_now()
        assert await daemon.gone() == 0
    events = [line["event"] for line in daemon.since_start()]
    assert events.index("draining") < events.index("outcome") < events.index("stopped")


async def test_stop_during_the_start_exits_cleanly_and_keeps_the_backlog(daemon: Daemon, sandbox: Sandbox) -> None:
    """As soon as operators are let in, before or while the spool is opened."""
    await sandbox.stop()
    await daemon.publish(envelope("u1", "Kept", envelope_id="kept"))
    await daemon.kill()
    await daemon.launch()
    await daemon.heard("operations")
    assert await daemon.stop() == 0
    assert daemon.logged("stopped")
    await sandbox.start()
    await daemon.start()
    await daemon.ended(["kept"])


async def test_stop_during_an_outage_waits_for_no_response(start: Start, sandbox: Sandbox) -> None:
    """A call that waits for its retry is not in flight."""
    daemon = await start(stopping={"drain": "1h"})
    names = [f"u{n}" for n in range(5)]
    await daemon.heard("connection", state="delivering")
    await sandbox.stop()
    await daemon.publish(*(envelope(name, "Waiting", envelope_id=name) for name in names))
    await daemon.until(lambda: daemon.logged("connection", state="down"))
    assert await daemon.stop() == 0
    await sandbox.start()
    await daemon.start()
    await daemon.ended(names)


async def test_sigint_stops_the_daemon(daemon: Daemon) -> None:
    daemon.signal(signal.SIGINT)
    assert await daemon.gone() == 0
    assert daemon.logged("draining")


async def test_stop_under_load_loses_and_repeats_nothing(daemon: Daemon, sandbox: Sandbox) -> None:
    """What was answered is delivered, by this daemon or the next; an orderly stop makes no call twice."""
    messages = [
        PublishStreamRequest(sequence=n, envelopes=[envelope(f"u{n % 10}", "Step", at=n, envelope_id=str(n))])
        for n in range(20_000)
    ]
    streaming = asyncio.create_task(converse(daemon.ingest_address, messages))
    await sandbox.wait_for(lambda sandbox: len(sandbox.events) > 20)
    assert await daemon.stop() == 0
    answers, refusal = await streaming
    if refusal is not None:
        refusal.must_be_not_now()
    assert len(answers) > 20
    await daemon.start()
    names = [str(number) for number in range(len(answers))]
    outcomes = [outcome.envelope_id for outcome in await daemon.journal()]
    await daemon.ended(set(names) - set(outcomes))
    taken = sorted(event.created_at for event in sandbox.events)
    assert len(taken) == len(set(taken)) == len(answers)
    assert not sandbox.repeats


async def test_stop_delivers_what_waits_for_as_long_as_is_set(start: Start, sandbox: Sandbox) -> None:
    """Ten events of one user, one call after the other: without the setting only the call in flight would end."""
    sandbox.workspace.add_contact("u1")
    daemon = await start(stopping={"linger": "0s", "deliver": "60s"})
    sandbox.fault("POST /events delay=0.2s")
    names = [f"e{number}" for number in range(10)]
    await daemon.publish(*(envelope("u1", "Came", at=at, envelope_id=name) for at, name in enumerate(names)))
    assert await daemon.stop() == 0
    assert [daemon.outcomes[name] for name in names] == [1] * 10


async def test_stop_that_delivers_ends_when_its_time_is_over(start: Start, sandbox: Sandbox) -> None:
    daemon = await start(stopping={"linger": "0s", "deliver": "1s", "drain": "1s"})
    await daemon.heard("connection", state="delivering")
    await sandbox.stop()
    await daemon.publish(envelope("u1", "Kept", envelope_id="kept"))
    assert await daemon.stop() == 0
    await sandbox.start()
    await daemon.start()
    await daemon.ended(["kept"])
