"""Waits for the outcomes of sent envelopes, across restarts of the daemon, and reports what delays them."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import grpc

from intercomd.retry import TRANSIENT
from intercomd.v1 import ingest_pb2
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.outcomes import follow, newest_sequence
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations

PENDING_MAX = 100_000
"""Sending pauses above this number of pending outcomes, of some 150 bytes each."""
STATUS_SECONDS = 1.0
"""Interval of status requests while no outcome arrives."""
_BLOCKING_STATES = frozenset(
    {
        messages.CONNECTION_STATE_PAUSED,
        messages.CONNECTION_STATE_SUSPENDED,
        messages.CONNECTION_STATE_DOWN,
        messages.CONNECTION_STATE_UNCONFIGURED,
    }
)
_WITHOUT_OUTCOME = frozenset({ingest_pb2.DISPOSITION_REJECTED, ingest_pb2.DISPOSITION_SKIPPED})


class PendingOutcomes:
    """Counts the outcomes that are still to come, by envelope id. Results and outcomes may arrive in either order."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._total = 0
        self.has_earlier_duplicates = False
        """Whether an envelope was accepted by an earlier run, so that its outcome may precede this one."""

    def __len__(self) -> int:
        return self._total

    def __contains__(self, envelope_id: str) -> bool:
        return envelope_id in self._counts

    def add(self, envelope_id: str) -> None:
        """Adds an envelope before it is published: its outcome may arrive before its result."""
        self._counts[envelope_id] = self._counts.get(envelope_id, 0) + 1
        self._total += 1

    def on_result(self, envelope_id: str, disposition: int) -> None:
        """Removes an envelope that gets no outcome of its own.

        A duplicate shares the outcome of its original. If this run sent both, one outcome is to come for the two.
        """
        if disposition in _WITHOUT_OUTCOME or (
            disposition == ingest_pb2.DISPOSITION_DUPLICATE and self._counts.get(envelope_id, 0) > 1
        ):
            self.discard(envelope_id)
        elif disposition == ingest_pb2.DISPOSITION_DUPLICATE and envelope_id in self._counts:
            self.has_earlier_duplicates = True

    def discard(self, envelope_id: str) -> bool:
        """Removes one pending outcome of an envelope; returns whether there was one."""
        count = self._counts.get(envelope_id, 0)
        if not count:
            return False
        self._total -= 1
        if count == 1:
            del self._counts[envelope_id]
        else:
            self._counts[envelope_id] = count - 1
        return True


class OutcomeWait:
    """Follows the journal of outcomes, starting before the first envelope is sent."""

    def __init__(
        self,
        stub: Operations,
        patience_seconds: float,
        on_outcome: Callable[[Outcome], None],
        notify: Callable[[str], None],
    ) -> None:
        self.pending = PendingOutcomes()
        self._stub = stub
        self._patience_seconds = patience_seconds
        self._on_outcome = on_outcome
        self._notify = notify
        self._progressed = asyncio.Event()
        self._states: dict[str, int] = {}
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to follow the journal. Call it before sending, so that no outcome is missed."""
        after = await newest_sequence(self._stub)
        self._following = asyncio.create_task(self._follow(after))

    async def wait_for_room(self) -> None:
        """Waits while PENDING_MAX outcomes are pending."""
        while len(self.pending) >= PENDING_MAX and self._following and not self._following.done():
            await self._wait_for_progress()

    async def wait_for_all(self, show_pending: Callable[[int], None]) -> None:
        """Waits for the pending outcomes, once every envelope has its result.

        Returns early if the daemon's spool is empty in two status requests in a row: what is pending then has left the
        journal, and no outcome of it will come.

        Raises:
            grpc.aio.AioRpcError: the daemon refused a call, or was away for longer than the patience.
        """
        if self.pending.has_earlier_duplicates:
            await self._replay_journal()
        times_empty = 0
        while len(self.pending) and times_empty < 2:
            show_pending(len(self.pending))
            progressed = await self._wait_for_progress()
            if self._following and self._following.done():
                await self._following  # raises its error
            times_empty = 0 if progressed or not await self._spool_is_empty() else times_empty + 1

    async def stop(self) -> None:
        """Stops following the journal."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _wait_for_progress(self) -> bool:
        self._progressed.clear()
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                await self._progressed.wait()
        except TimeoutError:
            return False
        return True

    async def _follow(self, after: int) -> None:
        watch = follow(self._stub, messages.OutcomeFilter(), after, self._patience_seconds, self._notify)
        async with aclosing(watch):
            async for response in watch:
                if response.missed_count:
                    self._notify(f"{response.missed_count:,} outcomes left the journal before they could be read")
                self._receive(response.outcome)

    def _receive(self, outcome: Outcome) -> None:
        if self.pending.discard(outcome.envelope_id):
            self._on_outcome(outcome)
            self._progressed.set()

    async def _replay_journal(self) -> None:
        """Reads the journal from its start: envelopes of an earlier run may have ended before this one began."""
        newest = await newest_sequence(self._stub)
        if not newest:
            return
        watch = follow(self._stub, messages.OutcomeFilter(), 0, self._patience_seconds, self._notify)
        async with aclosing(watch):
            async for response in watch:
                self._receive(response.outcome)
                if response.outcome.sequence >= newest:
                    return

    async def _spool_is_empty(self) -> bool:
        """Returns whether no outcome can still come; reports connections that have begun to hold envelopes back."""
        try:
            status = await self._stub.GetStatus(messages.GetStatusRequest(), timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() in TRANSIENT:
                return False
            raise
        for connection in status.connections:
            if connection.state != self._states.get(connection.name) and connection.state in _BLOCKING_STATES:
                state = messages.ConnectionState.Name(connection.state).removeprefix("CONNECTION_STATE_").lower()
                reason = connection.suspended_reason or connection.last_error
                text = f"connection {connection.name} is {state}{': ' + reason if reason else ''}; its envelopes wait"
                self._notify(printable(text))
            self._states[connection.name] = connection.state
        return status.state == messages.DAEMON_STATE_SERVING and not status.spool.envelopes
