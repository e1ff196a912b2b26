"""The calls of operators that change something: each finds the part, or the daemon of a shared spool, that does it."""

import asyncio
from collections.abc import Callable

from intercomd_daemon.app.connections import Connections
from intercomd_daemon.app.reload import Reload
from intercomd_daemon.app.stop import Stop
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.fleet.orders import Answer, OrderKind
from intercomd_daemon.operations.daemon_control import Reloaded
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.fleet import Fleet
from intercomd_daemon.spool.rows import OutcomeFilter
from intercomd_daemon.spool.trail import TrailFilter


class Operators:
    """What operators do with a daemon: a `DaemonControl`."""

    def __init__(self, connections: Connections, archive: Callable[[], Spool]) -> None:
        """`archive` returns the open spool, or raises RetryLater."""
        self._connections = connections
        self._archive = archive
        self._serving: tuple[Stop, Reload] | None = None

    def serve(self, stop: Stop, reload: Reload) -> None:
        """Allows to drain and to reload from now on: the daemon serves."""
        self._serving = stop, reload

    async def drain(self, *, wait: bool) -> None:
        """Refuses new calls until a restart; with `wait` it returns once no call is open."""
        stop, _ = self._while_serving()
        await stop.drain(wait=wait)

    async def reload(self) -> Reloaded:
        """Reads the settings again and applies what can be applied while calls are served, as SIGHUP does."""
        _, reload = self._while_serving()
        return await reload.run()

    def _while_serving(self) -> tuple[Stop, Reload]:
        if self._serving is None:
            raise RetryLater("the daemon is starting: retry later", 1.0)
        return self._serving

    async def pause(self, name: str, *, paused: bool) -> None:
        """Pauses or resumes a connection, also across restarts."""
        spool = self._archive()
        if spool.fleet is not None:
            await self._order(spool.fleet, name, OrderKind.PAUSE if paused else OrderKind.RESUME)
            return
        await spool.set_paused(name, paused=paused)
        self._connections.performer.pause(name, paused=paused)

    async def probe_now(self, name: str) -> None:
        """Probes a suspended or down connection now."""
        fleet = self._archive().fleet
        if fleet is not None:
            await self._order(fleet, name, OrderKind.RETRY)
        else:
            self._connections.performer.probe_now(name)

    async def give_up(self, name: str, envelope_id: str) -> Outcome | None:
        """Ends a waiting envelope as a dead letter; returns its outcome, or None if it does not wait.

        Raises:
            ConnectionNotFound: a reload has just removed the connection.
            RetryLater: the daemon that delivers it cannot end it now.
        """
        spool = self._archive()
        if spool.fleet is None:
            return await self._connections.performer.give_up(name, envelope_id)
        keys = await spool.find_waiting(TrailFilter(connection=name, envelope_id=envelope_id), 0, 1)
        if not keys:
            return None
        answer = await self._order(spool.fleet, name, OrderKind.GIVE_UP, keys[0], envelope_id)
        if answer.error:
            raise RetryLater(answer.error, 1.0)
        wanted = OutcomeFilter(connection=name, envelope_id=envelope_id)
        found, _ = await spool.outcomes_after(wanted, answer.result - 1, 1) if answer.result else ([], 0)
        return found[0] if found else None

    async def _order(self, fleet: Fleet, name: str, kind: OrderKind, key: int = 0, envelope_id: str = "") -> Answer:
        connections, workspace = self._connections, self._connections.workspace_of(name)
        if connections.delivers(name):
            return await fleet.order(workspace, name, kind, key, envelope_id)
        # Perhaps no daemon acquires the workspace of an inactive connection. So this one does while the order waits.
        performing = asyncio.create_task(connections.performer.stand_in(workspace))
        try:
            return await fleet.order(workspace, name, kind, key, envelope_id)
        finally:
            performing.cancel()
            await asyncio.gather(performing, return_exceptions=True)
