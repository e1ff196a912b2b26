"""Waiting for outcomes: of this run and of earlier ones, and what holds them up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from daemons import WAIT_SECONDS, Daemon
from sending import envelope

from intercomd.v1 import ingest_pb2
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.cli.remote import Operations, operations
from intercomd_daemon.cli.sending.outcome_wait import OutcomeWait
from intercomd_daemon.sandbox import Sandbox


class Waiting:
    """A wait, and what it said."""

    def __init__(self, stub: Operations) -> None:
        self.ended: list[Outcome] = []
        self.told: list[str] = []
        self.said = asyncio.Event()
        self.wait = OutcomeWait(stub, WAIT_SECONDS, self.ended.append, self.hear)

    def hear(self, text: str) -> None:
        self.told.append(text)
        self.said.set()

    async def send(self, daemon: Daemon, envelope_id: str) -> None:
        self.wait.awaited.sent(envelope_id)
        answer = await daemon.publish(envelope("w", envelope_id, envelope_id=envelope_id))
        self.wait.awaited.answered(envelope_id, answer.results[0].disposition)


@asynccontextmanager
async def waiting(daemon: Daemon) -> AsyncIterator[Waiting]:
    async with operations(daemon.operations_address) as stub, asyncio.timeout(WAIT_SECONDS):
        ours = Waiting(stub)
        await ours.wait.start()
        yield ours
        await ours.wait.stop()


async def test_each_is_waited_for_also_what_an_earlier_run_sent(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        await daemon.publish(envelope("w", "earlier", envelope_id="earlier"))
        await daemon.ended(["earlier"])
        async with waiting(daemon) as ours:
            await ours.send(daemon, "earlier")
            await ours.send(daemon, "now")
            await ours.wait.all_ended(lambda _: None)
            assert len(ours.wait.awaited) == 0
        assert sorted(outcome.envelope_id for outcome in ours.ended) == ["earlier", "now"]
        await daemon.close()


async def test_what_holds_it_up_is_told_and_an_outcome_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        await daemon.operations.PauseConnection(messages.PauseConnectionRequest())
        async with waiting(daemon) as ours:
            await ours.send(daemon, "held")
            ours.wait.awaited.sent("never heard of")
            ours.wait.awaited.answered("never heard of", ingest_pb2.DISPOSITION_ACCEPTED)
            ending = asyncio.create_task(ours.wait.all_ended(lambda _: None))
            await ours.said.wait()
            await daemon.operations.ResumeConnection(messages.ResumeConnectionRequest())
            await ending
            assert (len(ours.wait.awaited), "never heard of" in ours.wait.awaited) == (1, True)
        assert ours.told == ["connection default is paused; its envelopes wait"]
        assert [outcome.envelope_id for outcome in ours.ended] == ["held"]
        await daemon.close()
