"""The status of the daemon: whether it accepts envelopes, and whether each part makes progress."""

import time

from intercomd_daemon.app.connections import Connections
from intercomd_daemon.connection_status import ConnectionStatus, LaneState
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.fleet.status import FleetStatus
from intercomd_daemon.operations.daemon_control import DaemonState, HealthCheck
from intercomd_daemon.operations.health import Health
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.rows import Usage

STALLED_SECONDS = 60.0
"""A commit that takes longer hangs: the slowest disks sync in seconds, and one that fails reports an error."""


class Status:
    """What operators, probes and metrics read of a daemon: a `DaemonStatus`."""

    def __init__(self, connections: Connections, bytes_max: int) -> None:
        """`bytes_max` is the limit of the spool."""
        self._connections = connections
        self._bytes_max = bytes_max
        self._state = DaemonState.STARTING
        self._spool: Spool | None = None
        self._listeners: list[Health] = []

    def add_health(self, health: Health) -> None:
        """Keeps the health of a listener up to date: its liveness from now on, SERVING from the next `set_serving`."""
        health.alive = self.alive
        self._listeners.append(health)

    def set_serving(self, *, serving: bool) -> None:
        """Sets whether the daemon accepts envelopes, in the health of every listener too."""
        self._state = DaemonState.SERVING if serving else DaemonState.DRAINING
        for health in self._listeners:
            health.set_serving(serving=serving)

    def set_spool(self, spool: Spool | None) -> None:
        """Sets the open spool; None: it is about to be closed."""
        self._spool = spool

    def archive(self) -> Spool:
        """Returns the open spool.

        Raises:
            RetryLater: the spool is not open yet, or already closed.
        """
        if self._spool is None:
            raise RetryLater("the spool is not open: the daemon is starting or stopping; retry later", 1.0)
        return self._spool

    def now(self) -> float:
        """Returns Unix seconds, by the spool's time once it is open."""
        return self._spool.now() if self._spool is not None else time.time()

    def state(self) -> DaemonState:
        """Returns whether the daemon accepts envelopes."""
        return self._state

    def statuses(self) -> list[ConnectionStatus]:
        """Returns the status of each configured connection."""
        return self._connections.statuses()

    def checks(self) -> list[HealthCheck]:
        """Returns whether each part makes progress; the answer itself shows that the event loop does."""
        workers = [HealthCheck(name, alive) for name, alive in self._connections.workers_alive().items()]
        return [self._check_spool(), *workers]

    def _check_spool(self) -> HealthCheck:
        if self._spool is None:
            return HealthCheck("spool", self._state is not DaemonState.SERVING)
        seconds = self._spool.busy_seconds()
        stalled = f"a commit has been under way for {seconds:.0f} s" if seconds > STALLED_SECONDS else ""
        return HealthCheck("spool", not stalled, stalled)

    def alive(self) -> bool:
        """Returns whether every part makes progress."""
        return all(check.moves for check in self.checks())

    def usage(self) -> Usage:
        """Returns the spool's usage; before the spool is open, an empty one."""
        return self._spool.usage() if self._spool is not None else Usage({}, 0, self._bytes_max, "")

    def fleet(self) -> FleetStatus | None:
        """Returns the daemons that share the spool; None: it is not shared, or not open."""
        return self._spool.fleet.status() if self._spool and self._spool.fleet else None

    def lane_state(self, connection: str, lane: str, key: int) -> LaneState | None:
        """Returns the state of a lane in memory, as far as the envelope of a row is concerned."""
        return self._connections.lane_state(connection, lane, key)
