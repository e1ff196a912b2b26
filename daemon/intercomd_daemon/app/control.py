"""The calls of operators that change something: each finds the part that does it."""

from intercomd_daemon.app.connections import Connections
from intercomd_daemon.app.operators import Operators
from intercomd_daemon.app.reload import Reload
from intercomd_daemon.app.status import Status
from intercomd_daemon.app.stop import Stop
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.operations.daemon_control import Reloaded
from intercomd_daemon.outcome import Outcome


class Control:
    """What operators do with a daemon: a `DaemonControl`."""

    def __init__(self, connections: Connections, status: Status) -> None:
        self._connections = connections
        self._status = status
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
            raise RetryLater("the daemon is starting or stopping: retry later", 1.0)
        return self._serving

    async def give_up(self, connection: str, envelope_id: str) -> Outcome | None:
        """Ends a waiting envelope of a configured connection as a dead letter."""
        return await self._operators().give_up(connection, envelope_id)

    async def probe_now(self, connection: str) -> None:
        """Probes a suspended or down connection now."""
        await self._operators().probe_now(connection)

    async def pause(self, connection: str, *, paused: bool) -> None:
        """Pauses or resumes calls to Intercom for a connection, also across restarts."""
        await self._operators().pause(connection, paused=paused)

    def _operators(self) -> Operators:
        return Operators(self._connections, self._status.archive())
