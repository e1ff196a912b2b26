"""A worker forwards to a scripted gateway from a real spool."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import grpc
import pytest

from forwarding.recorder import Recorder, rows
from forwarding.scripted import Refusal, ScriptedGateway, accept, info
from intercomd.v1.ingest_pb2 import PublishRequest, PublishResponse
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import RetryLater, ShuttingDown
from intercomd_daemon.forward.gateway import Gateway
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.forward.worker import LEFT_OUT_MAX, ForwardWorker
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.spool import record
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import Incoming, OutcomeFilter, Settlement, WaitingRow

AWAY = Refusal(grpc.StatusCode.UNAVAILABLE, "away", (("grpc-retry-pushback-ms", "1"),))
REFUSED = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "too many envelopes")


@pytest.fixture
def spool() -> MemorySpool:
    return MemorySpool()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@asynccontextmanager
async def running(
    spool: MemorySpool,
    recorder: Recorder,
    server: ScriptedGateway,
    *,
    paused: bool = False,
    wall: Callable[[], float] = time.time,
) -> AsyncIterator[ForwardWorker]:
    gateway = Gateway(UpstreamSettings(target=server.address))
    outflow = await spool.acquire("upstream default")
    worker = ForwardWorker("default", "agent-1", outflow, gateway, recorder, paused=paused, wall=wall)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
        worker.stop()
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await gateway.close()


async def read(spool: MemorySpool, key: int) -> WaitingRow | None:
    return next(iter(await spool.waiting_rows([key])), None)


async def test_rows_are_forwarded_normal_before_bulk(spool: MemorySpool, recorder: Recorder) -> None:
    await spool.append([*rows("b-1", priority=Priority.BULK), *rows("a", "b")])
    async with ScriptedGateway() as server, running(spool, recorder, server) as worker:
        assert await recorder.ended(3) == ["a", "b", "b-1"]
        await spool.append(rows("c"))
        await recorder.ended(4)
        status = worker.status()
    assert server.names() == [["a", "b"], ["b-1"], ["c"]]
    sequences = [request.forwarder.sequence for request in server.requests]
    assert sequences == sorted(set(sequences))
    assert {request.forwarder.agent_id for request in server.requests} == {"agent-1"}
    assert {request.forwarder.spool_id for request in server.requests} == {"spool-1"}
    assert (status.state, status.upstream_spool_id, status.upstream) == (
        ConnectionState.DELIVERING,
        "spool-1",
        server.address,
    )
    assert recorder.states == [("DELIVERING", "")]
    assert not spool._rows


async def test_batch_that_was_sent_is_repeated_with_its_sequence_after_a_restart(
    spool: MemorySpool, recorder: Recorder
) -> None:
    """The answer was lost with the process; normal rows that were appended since go after the stored bulk batch."""
    await spool.append(rows("b-1", "b-2", priority=Priority.BULK))
    async with ScriptedGateway(AWAY) as server:
        async with running(spool, recorder, server) as worker:
            await recorder.until(lambda: "UNAVAILABLE" in recorder.calls)
            worker.pause(paused=True)
        await spool.append([*rows("n-1"), *rows("b-3", priority=Priority.BULK)])
        async with running(spool, recorder, server):
            assert await recorder.ended(4) == ["b-1", "b-2", "n-1", "b-3"]
    first = server.requests[0]
    repeats = [each for each in server.requests if each.forwarder.sequence == first.forwarder.sequence]
    assert len(repeats) >= 2
    assert {each.SerializeToString() for each in repeats} == {first.SerializeToString()}
    assert server.names()[-2:] == [["n-1"], ["b-3"]]


async def test_refused_request_is_divided_and_a_single_envelope_becomes_a_dead_letter(
    spool: MemorySpool, recorder: Recorder
) -> None:
    class Dividing(ScriptedGateway):
        async def Publish(self, request: PublishRequest, context: grpc.aio.ServicerContext) -> PublishResponse:  # type: ignore[type-arg] # noqa: N802 - gRPC's
            if not request.validate_only and any(each.envelope_id == "c" for each in request.envelopes):
                self.requests.append(request)
                await context.abort(REFUSED.code, REFUSED.message)
            return await super().Publish(request, context)

    await spool.append(rows("a", "b", "c", "d", "e"))
    async with Dividing() as server, running(spool, recorder, server):
        assert await recorder.ended(5) == ["a", "b", "c", "d", "e"]
    assert server.names() == [["a", "b", "c", "d", "e"], ["a", "b"], ["c", "d"], ["c"], ["d"], ["e"]]
    assert len({request.forwarder.sequence for request in server.requests}) == 1
    types = [outcome.type for outcome in recorder.outcomes]
    assert types == [OutcomeType.FORWARDED] * 2 + [OutcomeType.DEAD_LETTERED] + [OutcomeType.FORWARDED] * 2
    assert recorder.outcomes[2].violations[0].message == "too many envelopes"
    assert spool.usage().connections["default"].dead_letters == 1


async def test_remaining_parts_of_a_divided_batch_keep_the_sequence_over_a_restart(
    spool: MemorySpool, recorder: Recorder
) -> None:
    await spool.append(rows("a", "b", "c", "d"))
    async with ScriptedGateway(REFUSED, accept, AWAY) as server:
        async with running(spool, recorder, server) as worker:
            await recorder.until(lambda: recorder.calls.count("UNAVAILABLE") == 1)
            worker.pause(paused=True)
        await spool.append(rows("e"))
        async with running(spool, recorder, server):
            assert await recorder.ended(5) == ["a", "b", "c", "d", "e"]
    sequences = [request.forwarder.sequence for request in server.requests]
    assert server.names()[:3] == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"]]
    assert set(sequences[:-1]) == {sequences[0]}
    assert (server.names()[-1], sequences[-1] > sequences[0]) == (["e"], True)


async def test_sequence_rises_after_a_restart_with_a_clock_that_was_set_back(
    spool: MemorySpool, recorder: Recorder
) -> None:
    async with ScriptedGateway() as server:
        for ended, wall in enumerate((2_000_000.0, 1_000_000.0, 0.0, 3_000_000.0), 1):
            await spool.append(rows(f"e-{ended}"))
            async with running(spool, recorder, server, wall=lambda wall=wall: wall):  # type: ignore[misc]
                await recorder.ended(ended)
    sequences = [request.forwarder.sequence for request in server.requests]
    assert sequences == sorted(set(sequences))
    assert (sequences[0], sequences[-1]) == (2_000_000_000_000, 3_000_000_000_000)


async def test_other_spool_gets_nothing_until_it_is_confirmed(spool: MemorySpool, recorder: Recorder) -> None:
    await spool.append(rows("a"))
    changed = info(grpc.StatusCode.FAILED_PRECONDITION, "SPOOL_CHANGED", spool_id="spool-2")
    second = [lambda request: accept(request, spool_id="spool-2")]
    async with ScriptedGateway(accept, changed, *second) as server, running(spool, recorder, server) as worker:
        await recorder.ended(1)
        await spool.append(rows("b"))
        await recorder.until(lambda: ("SUSPENDED", "UPSTREAM_CHANGED") in recorder.states)
        status = worker.status()
        assert (status.state, status.next_probe) == (ConnectionState.SUSPENDED, 0.0)
        server.probes = [second[0]]
        worker.probe_now()
        await recorder.ended(2)
    assert [request.forwarder.spool_id for request in server.requests] == ["spool-1", "spool-1", "spool-2"]
    assert await spool.load_state("upstream/default") == b"spool-2"
    assert recorder.notices == ["upstream_confirmed"]


async def test_start_at_another_spool_is_suspended(spool: MemorySpool, recorder: Recorder) -> None:
    await spool.save_state("upstream/default", b"spool-0")
    await spool.append(rows("a"))
    async with ScriptedGateway() as server, running(spool, recorder, server):
        await recorder.until(lambda: ("SUSPENDED", "UPSTREAM_CHANGED") in recorder.states)
    assert server.requests == []


async def test_paused_connection_forwards_nothing(spool: MemorySpool, recorder: Recorder) -> None:
    await spool.append(rows("a"))
    async with ScriptedGateway() as server, running(spool, recorder, server, paused=True) as worker:
        assert worker.status().state is ConnectionState.PAUSED
        worker.pause(paused=False)
        await recorder.ended(1)
    assert server.names() == [["a"]]


async def test_waiting_envelope_is_given_up_but_not_one_that_was_sent(spool: MemorySpool, recorder: Recorder) -> None:
    keys = await spool.append(rows("a"))
    async with ScriptedGateway(*[AWAY] * 1000) as server, running(spool, recorder, server) as worker:
        await recorder.until(lambda: "UNAVAILABLE" in recorder.calls)
        keys += await spool.append(rows("b", "c"))
        with pytest.raises(RetryLater, match="at the gateway"):
            await worker.give_up("c:u-1", keys[0], lambda key: read(spool, key))
        waiting = worker.lane_state("c:u-1", keys[1])
        assert (waiting.in_flight, waiting.attempts) == (False, 0)
        assert worker.lane_state("c:u-1", keys[0]).attempts > 0
        outcome = await worker.give_up("c:u-1", keys[1], lambda key: read(spool, key))
        assert outcome is not None
        assert (outcome.envelope_id, outcome.reason) == ("b", "GIVEN_UP")
        assert await worker.give_up("c:u-1", keys[1], lambda key: read(spool, key)) is None
        server.script.clear()
        worker.probe_now()
        await recorder.ended(3)
    assert [outcome.envelope_id for outcome in await spool.outcomes(OutcomeFilter(), 0, 9)] == ["c", "a", "b"]
    with pytest.raises(ShuttingDown):
        await worker.give_up("c:u-1", keys[2], lambda key: read(spool, key))


async def test_envelope_is_not_given_up_while_its_batch_is_being_stored(recorder: Recorder) -> None:
    class Operated(MemorySpool):
        worker: ForwardWorker
        refused = 0

        async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
            for key, _ in settlements[0].progress:
                with pytest.raises(RetryLater, match="at the gateway"):
                    await self.worker.give_up("c:u-1", key, lambda key: read(self, key))
                self.refused += 1
            return await super().settle(settlements)

    spool = Operated()
    async with ScriptedGateway() as server, running(spool, recorder, server) as spool.worker:
        await spool.append([*rows("a"), *rows("b", priority=Priority.BULK)])
        assert await recorder.ended(2) == ["a", "b"]
    assert spool.refused == 2


@pytest.mark.fills("forward.worker.LEFT_OUT_MAX")
async def test_newest_given_up_rows_are_left_out(spool: MemorySpool, recorder: Recorder) -> None:
    async with ScriptedGateway() as server, running(spool, recorder, server) as worker:
        await recorder.until(lambda: recorder.states)
        for key in range(LEFT_OUT_MAX + 1):
            assert await worker.give_up("c:u-1", key, lambda key: read(spool, key)) is None
        assert (len(worker._left_out), worker._left_out[0]) == (LEFT_OUT_MAX, 1)


async def test_damaged_and_unreadable_rows_stop_no_other(spool: MemorySpool, recorder: Recorder) -> None:
    other_release = Incoming("default", Priority.NORMAL, "c:u-1", "new", record.pack(Outcome(*("",) * 4, *[0] * 7)))
    damaged = Incoming("default", Priority.NORMAL, "c:u-1", "damaged", b"\x02damaged")
    await spool.append([damaged, other_release, *rows("a")])
    async with ScriptedGateway() as server, running(spool, recorder, server):
        assert await recorder.ended(2) == ["damaged", "a"]
    assert recorder.notices == ["rows_damaged"]
    assert server.names() == [["a"]]


async def test_large_backlog_is_forwarded_in_full_batches(spool: MemorySpool, recorder: Recorder) -> None:
    names = [f"e-{number}" for number in range(1_203)]
    await spool.append(rows(*names))
    async with ScriptedGateway() as server, running(spool, recorder, server):
        assert await recorder.ended(len(names)) == names
    assert [len(each) for each in server.names()] == [500, 500, 203]


async def test_gateway_that_is_full_gets_fewer_envelopes_at_once(spool: MemorySpool, recorder: Recorder) -> None:
    await spool.append(rows("a", "b", "c", "d"))
    async with ScriptedGateway(AWAY, AWAY, AWAY) as server, running(spool, recorder, server):
        assert await recorder.ended(4) == ["a", "b", "c", "d"]
    assert [len(each) for each in server.names()] == [4, 4, 2, 1, 1, 1, 1]
    assert len({request.forwarder.sequence for request in server.requests}) == 1
