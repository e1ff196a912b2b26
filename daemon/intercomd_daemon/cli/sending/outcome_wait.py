"""Waits until every envelope that was sent has its outcome, also over restarts of the daemon; says what holds it up."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import grpc

from intercomd.retry import PASSING
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.cli.outcomes import follow, newest_sequence
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations
from intercomd_daemon.cli.sending.awaited import Awaited
from intercomd_daemon.cli.words import plain

AWAITED_MAX = 100_000
"""Above this sending waits: each takes some 150 bytes."""
LOOK_SECONDS = 1.0
"""Between looks at the daemon's state while nothing ends."""
_HOLDING = frozenset(
    {
        messages.CONNECTION_STATE_PAUSED,
        messages.CONNECTION_STATE_SUSPENDED,
        messages.CONNECTION_STATE_DOWN,
        messages.CONNECTION_STATE_UNCONFIGURED,
    }
)


class OutcomeWait:
    """Follows the journal from before the first envelope on."""

    def __init__(
        self, stub: Operations, patience_seconds: float, ended: Callable[[Outcome], None], tell: Callable[[str], None]
    ) -> None:
        self.awaited = Awaited()
        self._stub = stub
        self._patience_seconds = patience_seconds
        self._ended = ended
        self._tell = tell
        self._progressed = asyncio.Event()
        self._states: dict[str, int] = {}
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """To be awaited before anything is sent, so that nothing ends unseen."""
        start = await newest_sequence(self._stub)
        self._following = asyncio.create_task(self._follow(start))

    async def room(self) -> None:
        """Waits while too many are waited for."""
        while len(self.awaited) >= AWAITED_MAX and self._following and not self._following.done():
            await self._until_progress()

    async def all_ended(self, show: Callable[[int], None]) -> None:
        """Waits for the rest, once everything is sent and answered.

        Raises:
            grpc.aio.AioRpcError: the daemon refuses, or was away for too long.
        """
        if self.awaited.duplicates:
            await self._look_back()
        idle = 0
        while len(self.awaited) and idle < 2:
            show(len(self.awaited))
            progressed = await self._until_progress()
            if self._following and self._following.done():
                await self._following
            idle = 0 if progressed or not await self._nothing_waits() else idle + 1

    async def stop(self) -> None:
        """Ends the watch."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _until_progress(self) -> bool:
        self._progressed.clear()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._progressed.wait()
        except TimeoutError:
            return False
        return True

    async def _follow(self, start: int) -> None:
        watch = follow(self._stub, messages.OutcomeFilter(), start, self._patience_seconds, self._tell)
        async with aclosing(watch):
            async for answer in watch:
                if answer.missed_count:
                    self._tell(f"{answer.missed_count:,} outcomes left the journal before they could be seen")
                self._see(answer.outcome)

    def _see(self, outcome: Outcome) -> None:
        if self.awaited.ended(outcome.envelope_id):
            self._ended(outcome)
            self._progressed.set()

    async def _look_back(self) -> None:
        """What was accepted by an earlier run may have ended before this one began to watch."""
        newest = await newest_sequence(self._stub)
        if not newest:
            return
        watch = follow(self._stub, messages.OutcomeFilter(), 0, self._patience_seconds, self._tell)
        async with aclosing(watch):
            async for answer in watch:
                self._see(answer.outcome)
                if answer.outcome.sequence >= newest:
                    return

    async def _nothing_waits(self) -> bool:
        """Whether the spool is empty, so that no outcome is to come; also tells which connections hold things up."""
        try:
            status = await self._stub.GetStatus(messages.GetStatusRequest(), timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() in PASSING:
                return False
            raise
        for connection in status.connections:
            if connection.state != self._states.get(connection.name) and connection.state in _HOLDING:
                self._tell(_held_up(connection))
            self._states[connection.name] = connection.state
        return status.state == messages.DAEMON_STATE_SERVING and not status.spool.envelopes


def _held_up(connection: messages.ConnectionStatus) -> str:
    state = messages.ConnectionState.Name(connection.state).removeprefix("CONNECTION_STATE_").lower()
    why = connection.suspended_reason or connection.last_error
    return plain(f"connection {connection.name} is {state}{': ' + why if why else ''}; its envelopes wait")
