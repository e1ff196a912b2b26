"""Tests waiting for the outcomes of this run and of earlier ones, and reporting what delays them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemons.process import WAIT_SECONDS, Daemon
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.ingest_pb2 import (
    DISPOSITION_ACCEPTED,
    DISPOSITION_DUPLICATE,
    DISPOSITION_REJECTED,
    DISPOSITION_SKIPPED,
)
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.cli.remote import Operations, operations
from intercomd_daemon.cli.sending.outcome_wait import OutcomeWait, PendingOutcomes
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope


def test_pending_counts_an_accepted_envelope_until_its_outcome() -> None:
    pending = PendingOutcomes()
    pending.add("a")
    pending.on_result("a", DISPOSITION_ACCEPTED)
    assert (len(pending), "a" in pending) == (1, True)
    assert pending.discard("a")
    assert (len(pending), "a" in pending) == (0, False)


def test_pending_accepts_an_outcome_before_its_result() -> None:
    pending = PendingOutcomes()
    pending.add("a")
    assert pending.discard("a")
    pending.on_result("a", DISPOSITION_ACCEPTED)
    assert len(pending) == 0


@pytest.mark.parametrize("disposition", [DISPOSITION_REJECTED, DISPOSITION_SKIPPED])
def test_pending_drops_envelopes_that_get_no_outcome(disposition: int) -> None:
    pending = PendingOutcomes()
    pending.add("a")
    pending.on_result("a", disposition)
    assert (len(pending), pending.has_earlier_duplicates) == (0, False)


def test_pending_ignores_outcomes_of_other_senders() -> None:
    assert not PendingOutcomes().discard("of another sender")


def test_pending_keeps_a_duplicate_of_an_earlier_run() -> None:
    pending = PendingOutcomes()
    pending.add("a")
    pending.on_result("a", DISPOSITION_DUPLICATE)
    assert (len(pending), pending.has_earlier_duplicates) == (1, True)


def test_pending_counts_one_outcome_for_two_equal_ids_of_a_run() -> None:
    pending = PendingOutcomes()
    pending.add("a")
    pending.add("a")
    pending.on_result("a", DISPOSITION_ACCEPTED)
    pending.on_result("a", DISPOSITION_DUPLICATE)
    assert (len(pending), pending.has_earlier_duplicates) == (1, False)
    assert pending.discard("a")
    assert len(pending) == 0


class Waiting:
    """A wait, with the outcomes and the notices that it received."""

    def __init__(self, stub: Operations) -> None:
        self.outcomes: list[Outcome] = []
        self.notices: list[str] = []
        self.notified = asyncio.Event()
        self.wait = OutcomeWait(stub, WAIT_SECONDS, self.outcomes.append, self.notify)

    def notify(self, text: str) -> None:
        self.notices.append(text)
        self.notified.set()

    async def send(self, daemon: Daemon, envelope_id: str) -> None:
        self.wait.pending.add(envelope_id)
        answer = await daemon.publish(envelope("w", envelope_id, envelope_id=envelope_id))
        self.wait.pending.on_result(envelope_id, answer.results[0].disposition)


@asynccontextmanager
async def waiting(daemon: Daemon) -> AsyncIterator[Waiting]:
    async with operations(daemon.operations_address) as stub, asyncio.timeout(WAIT_SECONDS):
        run = Waiting(stub)
        await run.wait.start()
        yield run
        await run.wait.stop()


async def test_wait_returns_when_every_envelope_has_its_outcome(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        await daemon.publish(envelope("w", "earlier", envelope_id="earlier"))
        await daemon.ended(["earlier"])
        async with waiting(daemon) as run:
            await run.send(daemon, "earlier")
            await run.send(daemon, "now")
            await run.wait.wait_for_all(lambda _: None)
            assert len(run.wait.pending) == 0
        assert sorted(outcome.envelope_id for outcome in run.outcomes) == ["earlier", "now"]
        await daemon.close()


async def test_wait_reports_paused_connections_and_lost_outcomes(
    tmp_path: Path,
) -> None:
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        await daemon.operations.PauseConnection(messages.PauseConnectionRequest())
        async with waiting(daemon) as run:
            await run.send(daemon, "held")
            run.wait.pending.add("unknown to the daemon")
            run.wait.pending.on_result("unknown to the daemon", DISPOSITION_ACCEPTED)
            ending = asyncio.create_task(run.wait.wait_for_all(lambda _: None))
            await run.notified.wait()
            await daemon.operations.ResumeConnection(messages.ResumeConnectionRequest())
            await ending
            assert (len(run.wait.pending), "unknown to the daemon" in run.wait.pending) == (1, True)
        assert run.notices == ["connection default is paused; its envelopes wait"]
        assert [outcome.envelope_id for outcome in run.outcomes] == ["held"]
        await daemon.close()
