"""The workspaces that this process holds, and those that it acquires once their lease is free."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING, Protocol

from intercomd_daemon.app.destination import Destination
from intercomd_daemon.app.held_workspace import HeldWorkspace
from intercomd_daemon.app.performer import Performer
from intercomd_daemon.app.workers import RunningWorkers
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.errors import IntercomdError, LeaseLost
from intercomd_daemon.spool.base import Outflow, Spool

if TYPE_CHECKING:
    from intercomd_daemon.app.destination import ConnectionsObserver

ACQUIRE_PAUSE_SECONDS = 1.0
"""Pause before a workspace is acquired again, after the database failed while its workers were started."""


class WorkspaceConnections(Protocol):
    """What `Workspaces` needs of the connections."""

    destination: Destination
    performer: Performer
    reconfiguring: asyncio.Lock
    """Held while workers are replaced."""

    def connections_of(self, workspace: str) -> Mapping[str, ConnectionSettings]:
        """Returns the connections of a workspace that have a worker while it is held."""
        ...

    async def start_workers(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Starts the workers of these connections."""
        ...


class Workspaces:
    """Acquires workspaces, keeps their state saved, and hands them over or releases them.

    Each is held (`_held`), or it is being acquired (`_acquiring`), or no connection needs it. It goes from one state to
    another in `acquire`, `_start_acquired`, `_hand_over`, `keep_only` and `close`.
    """

    def __init__(
        self,
        spool: Spool,
        connections: WorkspaceConnections,
        workers: RunningWorkers,
        observer: "ConnectionsObserver",
        *,
        shared: bool,
    ) -> None:
        """`shared`: other processes may hold workspaces of the spool."""
        self._spool = spool
        self._connections = connections
        self._destination = connections.destination
        self._workers = workers
        self._observer = observer
        self._shared = shared
        self._held: dict[str, HeldWorkspace] = {}
        self._acquiring: dict[str, asyncio.Task[None]] = {}
        """The task that acquires each workspace that another daemon delivers, or that was just lost."""
        self._stopping = False
        workers.on_lost = self._on_lost if shared else None

    async def acquire(self, settings: ConnectionSettings) -> HeldWorkspace | None:
        """Returns the workspace of a connection; connections of the same workspace share it.

        None: another daemon may deliver it. Then the workers start as soon as this process gets the lease.
        """
        workspace = self._destination.workspace(settings)
        if workspace not in self._held:
            if self._shared and self._destination.shares_workspaces:
                self._destination.check(settings)
                self.acquire_later(workspace)
                return None
            held = await self._hold(workspace, settings, await self._spool.acquire(workspace))
            if self._shared:
                self._serve_operators(workspace, held)
        return self._held[workspace]

    async def _hold(self, workspace: str, settings: ConnectionSettings, outflow: Outflow) -> HeldWorkspace:
        self._held[workspace] = await self._destination.hold(settings, outflow, self._spool.now)
        return self._held[workspace]

    def acquire_later(self, workspace: str) -> None:
        """Starts the workers of a workspace once this process holds its lease."""
        if workspace not in self._acquiring and not self._stopping:
            self._acquiring[workspace] = asyncio.create_task(self._start_acquired(workspace), name=workspace)
            self._acquiring[workspace].add_done_callback(self._workers.note_fault)

    async def _start_acquired(self, workspace: str) -> None:
        """Waits for a lease, and starts the workers of the workspace.

        Workers that lost it end first. The new ones share no state with them, and read the log from its head.
        """
        await self._workers.wait_ended(workspace)
        if workspace in self._held:
            await self._held.pop(workspace).drop()
        while not self._stopping:
            try:
                outflow = await self._spool.acquire(workspace, partial(self._may_deliver, workspace))
                async with self._connections.reconfiguring:
                    await self._start_workers(workspace, outflow)
            except LeaseLost:
                continue
            except IntercomdError:
                # The database is away again; the lease ends by itself.
                await asyncio.sleep(ACQUIRE_PAUSE_SECONDS)
                continue
            return

    async def _may_deliver(self, workspace: str) -> bool:
        return await self._destination.may_deliver(self._connections.connections_of(workspace))

    async def _start_workers(self, workspace: str, outflow: Outflow) -> None:
        connections = self._connections.connections_of(workspace)
        self._acquiring.pop(workspace, None)
        if not connections or self._stopping:
            await outflow.release()
            return
        held = await self._hold(workspace, next(iter(connections.values())), outflow)
        await self._connections.start_workers(connections)
        saving = held.keep_pacing_saved(partial(self._is_troubled, workspace))
        held.run_until_release(saving, f"pacing of {workspace}", self._workers.note_fault)
        held.run_until_release(self._hand_over(workspace, held), f"moving of {workspace}", self._workers.note_fault)
        self._serve_operators(workspace, held)
        for name in connections:
            self._observer.on_notice(name, "workspace_acquired", workspace=workspace)

    def _is_troubled(self, workspace: str) -> bool:
        return any(worker.troubled for worker in self._workers.of(workspace).values())

    async def _hand_over(self, workspace: str, held: HeldWorkspace) -> None:
        """Releases a workspace for another daemon that asks for it; the calls in flight end first."""
        await held.outflow.wait_asked()
        async with self._connections.reconfiguring:
            if self._held.get(workspace) is not held or self._stopping:
                return
            for name in await self._workers.drain(workspace):
                self._observer.on_notice(name, "workspace_moved", workspace=workspace)
            await self._held.pop(workspace).release()
            self.acquire_later(workspace)

    def _serve_operators(self, workspace: str, held: HeldWorkspace) -> None:
        """Obeys operators' orders for a workspace and reports its statuses while it is held."""
        serving = self._connections.performer.serve(held.outflow, partial(self._workers.statuses, workspace))
        held.run_until_release(serving, f"operators of {workspace}", self._workers.note_fault)

    def is_acquiring(self, workspace: str) -> bool:
        """Returns whether a workspace is being acquired."""
        return workspace in self._acquiring

    def _on_lost(self, name: str, workspace: str, error: LeaseLost) -> None:
        """Acquires a workspace again that a worker lost."""
        self._observer.on_notice(name, "workspace_lost", error=str(error))
        self.acquire_later(workspace)

    async def keep_only(self, used: AbstractSet[str]) -> None:
        """Releases the other workspaces, whose workers have ended."""
        for workspace in self._acquiring.keys() - used:
            self._acquiring.pop(workspace).cancel()
        for workspace in self._held.keys() - used:
            await self._held.pop(workspace).release()

    def stop(self) -> None:
        """Acquires no further workspace."""
        self._stopping = True
        for acquiring in self._acquiring.values():
            acquiring.cancel()

    async def close(self) -> None:
        """Releases the workspaces; no worker runs any more."""
        await asyncio.gather(*self._acquiring.values(), return_exceptions=True)
        for held in self._held.values():
            await held.release()
