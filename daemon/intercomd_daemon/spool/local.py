"""The outflow of an engine that only this process uses: acquired at once, and lost only by its release."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from intercomd_daemon.connection_status import ConnectionStatus
from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.fleet.orders import Answer, Order
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Deliveries, States
from intercomd_daemon.spool.rows import PacingState, RowPage, Settlement


class LocalEngine(Deliveries, States, Protocol):
    """What an engine does for the outflows of its workspaces."""

    async def save_pacing(self, workspace: str, state: PacingState) -> None:
        """Saves the state of a workspace."""
        ...

    async def load_pacing(self, workspace: str) -> PacingState | None:
        """Returns the saved state of a workspace, unless its window has ended."""
        ...


class LocalOutflow:
    """Passes the deliveries of a workspace on to the engine; `base.Outflow` documents each method."""

    def __init__(self, engine: LocalEngine, workspace: str) -> None:
        """The workspace is held until `release`."""
        self._engine = engine
        self._workspace = workspace
        self._released = asyncio.Event()
        self.unclean = False
        """The calls of a process that crashed ended with it."""

    def _held(self) -> LocalEngine:
        """Returns the engine while the workspace is held."""
        if self._released.is_set():
            raise LeaseLost(f"the workspace {self._workspace} was released")
        return self._engine

    async def read(self, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a log."""
        return await self._held().read(connection, priority, after, rows_max, bytes_max)

    async def settle(self, settlements: Sequence[Settlement]) -> list[Outcome]:
        """Commits settlements and returns the new outcomes."""
        return await self._held().settle(settlements)

    async def park(self, connection: str, lane: str, keys: Sequence[int], due: float, attempts: int) -> None:
        """Parks a lane until `due`."""
        await self._held().park(connection, lane, keys, due, attempts)

    async def due(self, connection: str, now: float, lanes_max: int) -> tuple[list[str], float]:
        """Returns the parked lanes due by `now`, and when the next one is due."""
        return await self._held().due(connection, now, lanes_max)

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> RowPage:
        """Reads the next page of a parked lane."""
        return await self._held().parked(connection, lane, after, rows_max, bytes_max)

    async def load_state(self, name: str) -> bytes:
        """Returns a state."""
        return await self._held().load_state(name)

    async def save_state(self, name: str, data: bytes) -> None:
        """Saves a state."""
        await self._held().save_state(name, data)

    def on_append(self, connection: str, wake: Callable[[Priority], None]) -> None:
        """Registers the callback for commits that append rows to a log of the connection."""
        self._held().on_append(connection, wake)

    def check_held(self) -> None:
        """Raises LeaseLost after the release."""
        self._held()

    async def wait_lost(self) -> None:
        """Waits for the release: no other process can take the workspace."""
        await self._released.wait()
        self._held()

    async def orders(self, known: Collection[int]) -> list[Order]:  # noqa: ARG002 - there are none
        """Waits for the release: operators call the daemon itself."""
        await self.wait_lost()
        return []

    async def answer(self, order: Order, answer: Answer) -> None:  # noqa: ARG002 - as above
        """Does nothing while the workspace is held."""
        self._held()

    async def report(self, statuses: Mapping[str, ConnectionStatus]) -> None:  # noqa: ARG002 - as above
        """Does nothing while the workspace is held."""
        self._held()

    async def wait_asked(self) -> None:
        """Never returns: no other process can take the workspace."""
        await asyncio.Event().wait()

    def report_trouble(self, *, troubled: bool) -> None:
        """Changes nothing: no other process can take the workspace."""

    async def release(self) -> None:
        """Gives the workspace up."""
        self._released.set()

    async def save_pacing(self, state: PacingState) -> None:
        """Saves what was learned of the workspace's budget."""
        await self._held().save_pacing(self._workspace, state)

    async def load_pacing(self) -> PacingState | None:
        """Returns the state that was saved last."""
        return await self._held().load_pacing(self._workspace)
