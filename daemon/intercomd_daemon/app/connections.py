"""The configured connections: which of them have a worker, and what becomes of the workers with other settings."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from intercomd_daemon.app.changes import warn_of_workspace
from intercomd_daemon.app.destination import destination_of
from intercomd_daemon.app.idle import idle_status, status_elsewhere
from intercomd_daemon.app.performer import Performer
from intercomd_daemon.app.workers import AssignedWorker, ConnectionWorker, RunningWorkers
from intercomd_daemon.app.workspaces import Workspaces
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionStatus, LaneState
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.errors import ConnectionNotFound
from intercomd_daemon.ingest.responses import PreviewedRequest
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.rows import LogUsage

if TYPE_CHECKING:
    from intercomd_daemon.app.destination import ConnectionsObserver


class Connections:
    """The connections of the settings. Each active one has a worker; at an agent, every one has.

    `Destination` creates the workers, `RunningWorkers` has those that run, `Workspaces` what they deliver.
    """

    performer: Performer
    """Does what operators ask for. `start` sets it, and the fields below."""
    _spool: Spool
    _observer: "ConnectionsObserver"
    _workspaces: Workspaces

    def __init__(self, settings: Settings, hide: Callable[[str], None]) -> None:
        """`hide` registers each access token and the credentials of proxies for redaction from log lines.

        Raises:
            UpstreamUnusable: a file that the gateway needs cannot be read.
        """
        self.destination = destination_of(settings, hide)
        self.reconfiguring = asyncio.Lock()
        self._settings: Mapping[str, ConnectionSettings] = settings.connections
        self._workers = RunningWorkers()
        self._started = False
        self._stopping = False
        self._start_time = time.time()

    async def start(self, spool: Spool, observer: "ConnectionsObserver", *, shared: bool = False) -> None:
        """Acquires the workspaces and starts a worker for each active connection.

        With a shared spool it does not wait for workspaces that other daemons deliver: their workers start when this
        process gets the lease, and again after each loss.
        """
        self._spool, self._observer, self._started = spool, observer, True
        self.performer = Performer(self, spool, lambda outcome: observer.on_outcomes((outcome,)))
        self._workspaces = Workspaces(spool, self, self._workers, observer, shared=shared)
        # First, so that no workspace is acquired before daemons that share the spool know which connections it has.
        await self._store_workspaces()
        self._workers.start(await self._new_workers(self._settings))

    async def reconfigure(self, connections: Mapping[str, ConnectionSettings]) -> list[str]:
        """Replaces the settings: only the workers of connections that changed stop, or start anew; returns warnings.

        A changed worker finishes its calls in flight before its successor starts, so the order of each user holds. The
        envelopes of a removed connection stay in the spool.

        Raises:
            IntercomdError: a worker cannot be created; nothing has changed.
        """
        async with self.reconfiguring:
            return await self._replace(connections)

    async def _replace(self, connections: Mapping[str, ConnectionSettings]) -> list[str]:
        before = self._settings
        changed = {name: settings for name, settings in connections.items() if before.get(name) != settings}
        self.destination.read_credentials(changed)
        workers = await self._new_workers(changed)
        self._settings = connections
        await self._workers.end([name for name in self._workers.names() if connections.get(name) != before[name]])
        self.destination.keep_credentials(connections)
        await self._workspaces.keep_only(
            {self.destination.workspace(each) for each in connections.values() if self.destination.has_worker(each)}
        )
        # After the last commit of the old workers, and before the first read of the new ones.
        warnings = await self._store_workspaces()
        # An operator may have paused or resumed a connection while its old worker ended.
        paused = await self._spool.paused()
        if not self._stopping:
            self._workers.start(workers)
            for name, (worker, *_) in workers.items():
                worker.pause(paused=name in paused)
        return warnings

    async def _new_workers(self, connections: Mapping[str, ConnectionSettings]) -> dict[str, AssignedWorker]:
        """Creates the workers of these connections; none of them runs yet.

        In a shared spool only those of workspaces that this process holds. The others are acquired from now on, and
        `Workspaces` calls `start_workers` then.
        """
        workers: dict[str, AssignedWorker] = {}
        paused = await self._spool.paused()
        for name, settings in connections.items():
            held = await self._workspaces.acquire(settings) if self.destination.has_worker(settings) else None
            if held is not None:
                worker = self.destination.new_worker(settings, held, self._spool, self._observer, paused=name in paused)
                workers[name] = AssignedWorker(worker, self.destination.workspace(settings), held.outflow)
        return workers

    async def _store_workspaces(self) -> list[str]:
        """Stores the workspace of each connection; reports and returns those whose envelopes will go to another one."""
        if self.destination.upstream is not None:
            return []  # The gateway stores them.
        warnings = []
        workspaces = {
            name: self.destination.workspace(settings) for name, settings in self._settings.items() if settings.active
        }
        for name in await self._spool.set_workspaces(workspaces):
            usage = self._spool.usage().connections.get(name, LogUsage())
            waiting = usage.normal + usage.bulk
            self._observer.on_notice(name, "workspace_changed", workspace=workspaces[name], waiting=waiting)
            if waiting:
                warnings.append(warn_of_workspace(name, workspaces[name], waiting))
        return warnings

    def connections_of(self, workspace: str) -> dict[str, ConnectionSettings]:
        """Returns the connections of a workspace that have a worker while this process holds it."""
        return {
            name: settings
            for name, settings in self._settings.items()
            if self.destination.has_worker(settings) and self.destination.workspace(settings) == workspace
        }

    async def start_workers(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Starts the workers of these connections, whose workspace was acquired."""
        self._workers.start(await self._new_workers(connections))

    async def wait_fault(self) -> None:
        """Waits until a worker, or a task of a held workspace, ends with an error."""
        await self._workers.wait_fault()

    def faults(self) -> list[BaseException]:
        """Returns these errors: bugs, and LeaseLost if a workspace of a spool that is not shared was lost."""
        return self._workers.faults

    def stop(self) -> None:
        """Stops every worker after its calls in flight."""
        self._stopping = True
        self._workspaces.stop()
        self._workers.stop()

    async def wait_stopped(self) -> None:
        """Waits until no worker runs."""
        await self._workers.wait_ended()

    async def close(self) -> None:
        """Ends every worker at once, and releases the workspaces; a call in flight will be made again."""
        await self._workers.cancel()
        await self._workspaces.close()
        await self.destination.close()

    def statuses(self) -> list[ConnectionStatus]:
        """Returns the status of each configured connection."""
        return [self._status(settings) for settings in self._settings.values()]

    def _status(self, settings: ConnectionSettings) -> ConnectionStatus:
        fleet = self._spool.fleet if self._started else None
        if (worker := self._workers.running(settings.name)) is not None:
            return replace(worker.status(), delivered_by=fleet.status().daemon_id if fleet else "")
        if fleet is not None:
            return status_elsewhere(self._idle(settings), fleet)
        ended = self._workers.get(settings.name)
        return ended.status() if ended is not None else self._idle(settings)

    def _idle(self, settings: ConnectionSettings) -> ConnectionStatus:
        waits = self._started and self._workspaces.is_acquiring(self.destination.workspace(settings))
        return idle_status(settings, self._start_time, active=self.destination.has_worker(settings), waits=waits)

    def workers_alive(self) -> dict[str, bool]:
        """Returns whether each worker runs, by the name of its task: `worker`, a space, the connection's name."""
        return self._workers.alive()

    def worker(self, name: str) -> ConnectionWorker | None:
        """Returns the worker of a connection; None: it has none."""
        return self._workers.get(name)

    def settings_of(self, name: str) -> ConnectionSettings:
        """Returns the settings of a connection; raises ConnectionNotFound."""
        if name not in self._settings:
            raise ConnectionNotFound(name)
        return self._settings[name]

    def workspace_of(self, name: str) -> str:
        """Returns the name of a connection's workspace; raises ConnectionNotFound."""
        return self.destination.workspace(self.settings_of(name))

    def delivers(self, name: str) -> bool:
        """Whether this daemon delivers the connection, or will once it acquires its workspace."""
        return self.destination.has_worker(self.settings_of(name))

    def lane_state(self, name: str, lane: str, key: int) -> LaneState | None:
        """Returns the state of a lane in memory, as far as the envelope of a row is concerned; None: not in memory."""
        worker = self.worker(name)
        return worker.lane_state(lane, key) if worker else None

    def preview(self, name: str, envelope: AcceptedEnvelope) -> Sequence[PreviewedRequest]:
        """Returns the calls that would be made for an envelope."""
        return self.destination.preview(envelope, self._settings[name])
