"""The interfaces to the daemon that health and OperationsService use: `app/status.py` and `app/operators.py`."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from intercomd_daemon.connection_status import ConnectionStatus, LaneState
from intercomd_daemon.fleet.status import FleetStatus
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Archive
from intercomd_daemon.spool.rows import Usage


class DaemonState(IntEnum):
    """Whether the daemon accepts envelopes; the numbers are those of `DaemonState` in operations.proto."""

    STARTING = 1
    """The spool is not open yet."""
    SERVING = 2
    DRAINING = 3


class HealthCheck(NamedTuple):
    """Whether one part of the daemon makes progress: the spool's writer, a connection's worker."""

    name: str
    moves: bool
    """The name that `/healthz` shows."""
    detail: str = ""
    """For a person, without any user's data."""


class Reloaded(NamedTuple):
    """What a reload changed, by the keys of settings."""

    changed: tuple[str, ...]
    """In effect now; `connections.<name>` for an added or removed connection."""
    restart: tuple[str, ...]
    """In effect after a restart."""
    warnings: tuple[str, ...]
    """About the new settings, each in one line with its remedy."""


Subscribe = Callable[[Callable[[], None]], Callable[[], None]]
"""Subscribes to new outcomes and returns a function that unsubscribes. The callback runs on the event loop after the
commit; it only wakes the subscriber, who reads the outcomes from the journal."""


class DaemonStatus(Protocol):
    """What operators and probes read. Each method returns at once."""

    def state(self) -> DaemonState:
        """Returns whether the daemon accepts envelopes."""
        ...

    def statuses(self) -> Sequence[ConnectionStatus]:
        """Returns the status of each configured connection, inactive ones included."""
        ...

    def checks(self) -> Sequence[HealthCheck]:
        """Returns whether each part is alive; an idle part is."""
        ...

    def usage(self) -> Usage:
        """Returns the spool's usage; before the spool is open, an empty one."""
        ...

    def fleet(self) -> FleetStatus | None:
        """Returns the daemons that share the spool; None: it is not shared, or not open."""
        ...

    def archive(self) -> Archive:
        """Returns the open spool.

        Raises:
            RetryLater: the spool is not open yet, or already closed.
        """
        ...

    def lane_state(self, connection: str, lane: str, key: int) -> LaneState | None:
        """Returns the state of a lane in memory, as far as the envelope of a row is concerned; None: not in memory."""
        ...


class DaemonControl(Protocol):
    """What operators change."""

    async def give_up(self, connection: str, envelope_id: str) -> Outcome | None:
        """Ends a waiting envelope of a configured connection as a dead letter; None: it does not wait.

        Raises:
            RetryLater: the daemon is starting or stopping.
        """
        ...

    async def probe_now(self, connection: str) -> None:
        """Probes a configured connection that is suspended or down now; changes nothing in other states.

        Raises:
            RetryLater: the daemon is starting or stopping.
        """
        ...

    async def pause(self, connection: str, *, paused: bool) -> None:
        """Pauses or resumes calls to Intercom for a configured connection, also across restarts. Idempotent."""
        ...

    async def drain(self, *, wait: bool) -> None:
        """Refuses new calls until a restart; with `wait` it returns once no call is open. Idempotent.

        Raises:
            RetryLater: the daemon is starting or stopping.
        """
        ...

    async def reload(self) -> Reloaded:
        """Reads the settings again and applies what can be applied while calls are served.

        Raises:
            SettingsInvalid: with every problem; nothing has changed.
            RetryLater: the daemon is starting or stopping.
        """
        ...
