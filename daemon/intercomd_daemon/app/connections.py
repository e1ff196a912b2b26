"""The workers of all connections: creates, starts and stops them, and returns their statuses."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec.structs import replace

from intercomd_daemon.app.held import Held
from intercomd_daemon.app.idle import idle_status
from intercomd_daemon.app.performer import Performer
from intercomd_daemon.app.workspace import ConnectionWorker, load_pace, run_worker, save_pacing
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import PAUSED_REASON, ConnectionState, ConnectionStatus, LaneState
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.errors import ConnectionNotFound, IntercomdError, LeaseLost
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Outflow, Spool
from intercomd_daemon.spool.rows import LogUsage

if TYPE_CHECKING:
    from intercomd_daemon.app.agent import Agent
    from intercomd_daemon.deliver.schedule.connection_state import Observer as DeliveryObserver

    class Observer(DeliveryObserver, Protocol):
        """Receives what happens to the connections."""

        def on_forward(self, connection: str, code: str, envelopes: int, seconds: float) -> None:
            """Takes a call of an agent to its gateway with the name of its status and its duration."""
            ...


Workers = dict[str, tuple[ConnectionWorker, Outflow]]
"""A worker of each connection, and the deliveries that it settles."""
ACQUIRE_PAUSE_SECONDS = 1.0
"""Pause before a workspace is acquired again, after the database failed while its workers were started."""


class _Running(NamedTuple):
    """A worker and its task."""

    worker: ConnectionWorker
    outflow: Outflow
    task: asyncio.Task[None]


class Connections:
    """The configured connections. Each active one has a worker; at an agent each one."""

    def __init__(self, settings: Settings, hide: Callable[[str], None]) -> None:
        """`hide` registers each access token and the credentials of proxies for redaction from log lines.

        Raises:
            UpstreamUnusable: a file that the gateway needs cannot be read.
        """
        self._hide = hide
        self.agent = _agent(settings.upstream)
        """None: the daemon delivers to Intercom."""
        self._settings: Mapping[str, ConnectionSettings] = settings.connections
        self._tokens: dict[str, AccessToken] = {}
        self._read_tokens(settings.connections)
        self._running: dict[str, _Running] = {}
        self._held: dict[str, Held] = {}
        self._shared = False
        self._acquiring: dict[str, asyncio.Task[None]] = {}
        """The task that acquires each workspace that another daemon delivers, or that was just lost."""
        self._faults: list[BaseException] = []
        self._faulty = asyncio.Event()
        self._stopping = False
        self.reconfiguring = asyncio.Lock()
        self._started = False
        self._start_time = time.time()

    def _read_tokens(self, connections: Mapping[str, ConnectionSettings]) -> None:
        if self.agent is not None:
            return
        for name, settings in connections.items():
            self._tokens[name] = AccessToken(settings.access_token.reveal(), settings.access_token_file, self._hide)
            credentials = settings.proxy.reveal().rpartition("@")[0].partition("://")[2]
            if credentials:
                self._hide(credentials)

    def log_key(self) -> bytes:
        """Returns the key of the hashes of emails in log lines: secret, and unchanged as long as the tokens are.

        An agent without a token makes one at each start.
        """
        digest = blake2b(digest_size=32)
        if self.agent is not None:
            digest.update(self.agent.gateway.token().encode() or os.urandom(32))
        for name, token in sorted(self._tokens.items()):
            digest.update(f"{name}\0{token.current()}\0".encode())
        return digest.digest()

    async def start(self, spool: Spool, observer: "Observer", *, shared: bool = False) -> None:
        """Acquires the workspaces and starts a worker for each active connection.

        With a shared spool it does not wait for workspaces that other daemons deliver: their workers start when this
        process gets the lease, and again after each loss.
        """
        self._spool, self._observer, self._shared, self._started = spool, observer, shared, True
        self.performer = Performer(self, spool, lambda outcome: observer.on_outcomes((outcome,)))
        workers = await self._workers(self._settings)
        await self._store_workspaces()
        self._run(workers)

    async def reconfigure(self, connections: Mapping[str, ConnectionSettings]) -> None:
        """Replaces the settings: only the workers of connections that changed stop, or start anew.

        A changed worker finishes its calls in flight before its successor starts, so the order of each user holds. The
        envelopes of a removed connection stay in the spool.

        Raises:
            IntercomdError: a worker cannot be created; nothing has changed.
        """
        async with self.reconfiguring:
            await self._replace(connections)

    async def _replace(self, connections: Mapping[str, ConnectionSettings]) -> None:
        before = self._settings
        changed = {name: settings for name, settings in connections.items() if before.get(name) != settings}
        self._read_tokens(changed)
        workers = await self._workers(changed)
        self._settings = connections
        stopped = [self._running.pop(name) for name in [*self._running] if connections.get(name) != before[name]]
        for running in stopped:
            running.worker.stop()
        await asyncio.gather(*(running.task for running in stopped), return_exceptions=True)
        for name in self._tokens.keys() - connections.keys():
            del self._tokens[name]
        used = {self._workspace(settings) for settings in connections.values() if self._runs(settings)}
        for workspace in self._acquiring.keys() - used:
            self._acquiring.pop(workspace).cancel()
        for workspace in self._held.keys() - used:
            await self._held.pop(workspace).release(self._spool.now)
        # After the last commit of the old workers, and before the first read of the new ones.
        await self._store_workspaces()
        if not self._stopping:
            self._run(workers)

    async def _store_workspaces(self) -> None:
        """Stores the workspace of each connection; reports those whose waiting envelopes will go to another one."""
        if self.agent is not None:
            return
        workspaces = {name: self._workspace(settings) for name, settings in self._settings.items() if settings.active}
        for name in await self._spool.set_workspaces(workspaces):
            usage = self._spool.usage().connections.get(name, LogUsage())
            waiting = usage.normal + usage.bulk
            self._observer.on_notice(name, "workspace_changed", workspace=workspaces[name], waiting=waiting)

    def _runs(self, settings: ConnectionSettings) -> bool:
        """Returns whether a connection has a worker. At an agent it is the gateway that knows which are active."""
        return settings.active or self.agent is not None

    async def _workers(
        self, connections: Mapping[str, ConnectionSettings]
    ) -> dict[str, tuple[ConnectionWorker, Outflow]]:
        """Creates the workers of these connections; none of them runs yet.

        In a shared spool only those of workspaces that this process holds. The others' are acquired from now on, and
        `_start_acquired` comes back here.
        """
        workers: dict[str, tuple[ConnectionWorker, Outflow]] = {}
        paused = await self._spool.paused()
        for name, settings in connections.items():
            if self.agent is not None:
                workers[name] = await self._forward_worker(name, self.agent, paused=name in paused)
            elif settings.active and self._shared and self._workspace(settings) not in self._held:
                from intercomd_daemon.app import delivery  # noqa: PLC0415 - an agent does not load it

                delivery.check_settings(settings, self._tokens[name])
                self._acquire_later(self._workspace(settings))
            elif settings.active:
                pace, outflow = await self._acquire(settings)
                from intercomd_daemon.app import delivery  # noqa: PLC0415 - as above

                token, wall = self._tokens[name], self._spool.now
                worker = delivery.new_worker(
                    settings, token, outflow, pace, self._observer, wall, paused=name in paused
                )
                workers[name] = worker, outflow
        return workers

    async def _forward_worker(self, name: str, agent: "Agent", *, paused: bool) -> tuple[ConnectionWorker, Outflow]:
        workspace = self._workspace(self._settings.get(name) or ConnectionSettings(name=name))
        if workspace not in self._held:
            self._held[workspace] = Held(None, await self._spool.acquire(workspace))
            if self._shared:
                self._serve_operators(workspace, self._held[workspace])
        outflow = self._held[workspace].outflow
        return agent.worker(name, self._spool, outflow, self._observer, paused=paused), outflow

    def _workspace(self, settings: ConnectionSettings) -> str:
        """Returns the name of a connection's workspace, the same in every process; an agent's are its connections."""
        if self.agent is not None:
            return f"upstream {settings.name}"
        return f"{settings.url} {settings.app_id or settings.name}"

    async def _acquire(self, settings: ConnectionSettings) -> tuple[Pace, Outflow]:
        """Returns the budget and the deliveries of a connection's workspace.

        Connections of the same workspace share both.
        """
        workspace = self._workspace(settings)
        if workspace not in self._held:
            outflow = await self._spool.acquire(workspace)
            self._held[workspace] = Held(await load_pace(settings.rate, outflow, self._spool.now), outflow)
        held = self._held[workspace]
        assert held.pace is not None  # noqa: S101 - `agent` is None here
        held.pace.set_share(settings.rate.share)
        return held.pace, held.outflow

    def _run(self, workers: Workers) -> None:
        for name, (worker, outflow) in workers.items():
            task = asyncio.create_task(run_worker(worker, outflow), name=f"worker {name}")
            task.add_done_callback(partial(self._on_end, name))
            self._running[name] = _Running(worker, outflow, task)

    def _acquire_later(self, workspace: str) -> None:
        """Starts the workers of a workspace once this process holds its lease."""
        if workspace not in self._acquiring and not self._stopping:
            self._acquiring[workspace] = asyncio.create_task(self._start_acquired(workspace), name=workspace)
            self._acquiring[workspace].add_done_callback(self._note_fault)

    async def _start_acquired(self, workspace: str) -> None:
        """Waits for a lease, and starts the workers of the workspace.

        Workers that lost it before have ended: nothing of theirs is used, and the log is read from its head.
        """
        await self._end_workers(workspace)
        if workspace in self._held:
            await self._held.pop(workspace).drop()
        while not self._stopping:
            try:
                outflow = await self._spool.acquire(workspace, partial(self._may_deliver, workspace))
                async with self.reconfiguring:
                    await self._start_workers(workspace, outflow)
            except LeaseLost:
                continue
            except IntercomdError:
                # The database is away again; the lease ends by itself.
                await asyncio.sleep(ACQUIRE_PAUSE_SECONDS)
                continue
            return

    def _active(self, workspace: str) -> dict[str, ConnectionSettings]:
        """Returns the active connections of a workspace."""
        found = {name: each for name, each in self._settings.items() if self._workspace(each) == workspace}
        return {name: settings for name, settings in found.items() if settings.active}

    def _workers_of(self, workspace: str) -> dict[str, _Running]:
        names = [name for name in self._running if self._workspace(self._settings[name]) == workspace]
        return {name: self._running[name] for name in names}

    async def _end_workers(self, workspace: str) -> None:
        """Waits until the workers of a workspace have ended."""
        ending = (running.task for running in self._workers_of(workspace).values())
        await asyncio.gather(*ending, return_exceptions=True)

    async def _may_deliver(self, workspace: str) -> bool:
        """Returns whether this daemon could deliver a workspace that another one delivers."""
        from intercomd_daemon.app import delivery  # noqa: PLC0415 - an agent does not load it

        return await delivery.may_deliver(self._active(workspace), self._tokens)

    async def _start_workers(self, workspace: str, outflow: Outflow) -> None:
        active = self._active(workspace)
        self._acquiring.pop(workspace, None)
        if not active or self._stopping:
            await outflow.release()
            return
        pace = await load_pace(next(iter(active.values())).rate, outflow, self._spool.now)
        held = self._held[workspace] = Held(pace, outflow)
        self._run(await self._workers(active))
        saving = save_pacing(pace, outflow, self._spool.now, partial(self._is_troubled, workspace))
        held.tend(saving, f"pacing of {workspace}", self._note_fault)
        held.tend(self._hand_over(workspace, held), f"moving of {workspace}", self._note_fault)
        self._serve_operators(workspace, held)
        for name in active:
            self._observer.on_notice(name, "workspace_acquired", workspace=workspace)

    def _is_troubled(self, workspace: str) -> bool:
        return any(running.worker.troubled for running in self._workers_of(workspace).values())

    async def _hand_over(self, workspace: str, held: Held) -> None:
        """Releases a workspace for another daemon that asks for it; the calls in flight end first."""
        await held.outflow.wait_asked()
        async with self.reconfiguring:
            if self._held.get(workspace) is not held or self._stopping:
                return
            for running in self._workers_of(workspace).values():
                running.worker.stop()
            await self._end_workers(workspace)
            for name in self._workers_of(workspace):
                del self._running[name]
                self._observer.on_notice(name, "workspace_moved", workspace=workspace)
            await self._held.pop(workspace).release(self._spool.now)
            self._acquire_later(workspace)

    def _serve_operators(self, workspace: str, held: Held) -> None:
        """Obeys operators' orders for a workspace and reports its statuses while it is held."""
        serving = self.performer.serve(held.outflow, partial(self._own_statuses, workspace))
        held.tend(serving, f"operators of {workspace}", self._note_fault)

    def _own_statuses(self, workspace: str) -> dict[str, ConnectionStatus]:
        """Returns the statuses of the workers of a workspace."""
        found = {name: running.worker.status() for name, running in self._workers_of(workspace).items()}
        # The end of the window is computed anew each time.
        return {name: replace(status, window_ends=round(status.window_ends)) for name, status in found.items()}

    def _note_fault(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._faults.append(error)
            self._faulty.set()

    def _on_end(self, name: str, task: asyncio.Task[None]) -> None:
        """Notes why a worker ended by itself. A bug ends the daemon, and so does a lost workspace of its own spool."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LeaseLost) and self._shared:
            running = self._running.get(name)
            if not self._stopping and running is not None and running.task is task:
                # It is no part that must make progress any more: a lost workspace does not make the daemon unhealthy.
                del self._running[name]
                self._observer.on_notice(name, "workspace_lost", error=str(error))
                self._acquire_later(self._workspace(self._settings[name]))
        elif error is not None:
            self._faults.append(error)
            self._faulty.set()

    async def wait_fault(self) -> None:
        """Waits until a worker, or a task that tends a workspace, ends with an error."""
        await self._faulty.wait()

    def faults(self) -> list[BaseException]:
        """Returns these errors: bugs, and LeaseLost if a workspace of a spool that is not shared was lost."""
        return self._faults

    def stop(self) -> None:
        """Stops every worker after its calls in flight."""
        self._stopping = True
        for acquiring in self._acquiring.values():
            acquiring.cancel()
        for running in self._running.values():
            running.worker.stop()

    async def wait_stopped(self) -> None:
        """Waits until no worker runs."""
        await asyncio.gather(*(running.task for running in self._running.values()), return_exceptions=True)

    async def close(self) -> None:
        """Ends every worker at once, and releases the workspaces; a call in flight will be made again."""
        for running in self._running.values():
            running.task.cancel()
        await self.wait_stopped()
        await asyncio.gather(*self._acquiring.values(), return_exceptions=True)
        for held in self._held.values():
            await held.release(self._spool.now)
        if self.agent is not None:
            await self.agent.gateway.close()

    def statuses(self) -> list[ConnectionStatus]:
        """Returns the status of each configured connection."""
        return [self._status(name) for name in self._settings]

    def _status(self, name: str) -> ConnectionStatus:
        fleet, running = self._spool.fleet if self._started else None, self._running.get(name)
        if running is not None and not running.task.done():
            return replace(running.worker.status(), delivered_by=fleet.status().daemon_id if fleet else "")
        if fleet is None:
            return running.worker.status() if running else self._idle(name)
        if (found := fleet.connection_status(name)) is not None:
            return replace(found, elsewhere=True)
        deliverer = fleet.deliverer(name)
        idle = replace(self._idle(name), delivered_by=deliverer, elsewhere=bool(deliverer))
        return replace(idle, state=ConnectionState.PAUSED, reason=PAUSED_REASON) if fleet.is_paused(name) else idle

    def workers_alive(self) -> dict[str, bool]:
        """Returns whether each worker runs, by the name of its task: `worker`, a space, the connection's name."""
        return {running.task.get_name(): not running.task.done() for running in self._running.values()}

    def pause(self, name: str, *, paused: bool) -> None:
        """Pauses or resumes a connection; without effect on one that is inactive."""
        if name in self._running:
            self._running[name].worker.pause(paused=paused)

    async def give_up(self, name: str, envelope_id: str) -> Outcome | None:
        """Ends a waiting envelope as a dead letter; see `Performer`."""
        return await self.performer.give_up(name, envelope_id)

    def worker(self, name: str) -> ConnectionWorker | None:
        """Returns the worker of a connection; None: it has none."""
        return self._running[name].worker if name in self._running else None

    def settings_of(self, name: str) -> ConnectionSettings:
        """Returns the settings of a connection; raises ConnectionNotFound."""
        if name not in self._settings:
            raise ConnectionNotFound(name)
        return self._settings[name]

    def workspace_of(self, name: str) -> str:
        """Returns the name of a connection's workspace; raises ConnectionNotFound."""
        return self._workspace(self.settings_of(name))

    def delivers(self, name: str) -> bool:
        """Whether this daemon delivers the connection, or will once it acquires its workspace."""
        return self._runs(self.settings_of(name))

    def lane_state(self, name: str, lane: str, key: int) -> LaneState | None:
        """Returns the state of a lane in memory, as far as the envelope of a row is concerned; None: not in memory."""
        worker = self.worker(name)
        return worker.lane_state(lane, key) if worker else None

    def probe_now(self, name: str) -> None:
        """Probes a suspended or down connection now; without effect in other states."""
        if name in self._running:
            self._running[name].worker.probe_now()

    def preview(self, name: str, envelope: AcceptedEnvelope) -> list[tuple[str, str, str]]:
        """Returns the (method, path, JSON body) of each call that would be made for an envelope."""
        from intercomd_daemon.app import delivery  # noqa: PLC0415 - at an agent the gateway previews

        return delivery.preview_calls(envelope, self._settings[name])

    def _idle(self, name: str) -> ConnectionStatus:
        settings = self._settings[name]
        waits = self._workspace(settings) in self._acquiring
        return idle_status(settings, self._start_time, active=self._runs(settings), waits=waits)


def _agent(upstream: UpstreamSettings) -> "Agent | None":
    if not upstream.on:
        return None
    from intercomd_daemon.app.agent import Agent  # noqa: PLC0415 - only an agent loads it

    return Agent(upstream)
