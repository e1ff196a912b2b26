"""The interface to the daemon that health, metrics and OperationsService use. `app/daemon.py` implements it."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from intercomd_daemon.deliver.schedule.connection_state import ConnectionStatus
from intercomd_daemon.spool.base import Archive, Usage


class State(IntEnum):
    """Whether the daemon accepts envelopes; the numbers are those of `DaemonState` in operations.proto."""

    STARTING = 1
    """The spool is not open yet."""
    SERVING = 2
    DRAINING = 3


class Check(NamedTuple):
    """Whether one part of the daemon is alive: the spool's writer, a connection's worker."""

    name: str
    moves: bool
    detail: str = ""
    """For a person, without any user's data."""


Subscribe = Callable[[Callable[[], None]], Callable[[], None]]
"""Subscribes to new outcomes and returns a function that unsubscribes. The callback runs on the event loop after the
commit; it only wakes the subscriber, who reads the outcomes from the journal."""


class DaemonStatus(Protocol):
    """What health and readiness read. Each method returns at once."""

    def state(self) -> State:
        """Returns whether the daemon accepts envelopes."""
        ...

    def statuses(self) -> Sequence[ConnectionStatus]:
        """Returns the status of each configured connection, inactive ones included."""
        ...

    def checks(self) -> Sequence[Check]:
        """Returns whether each part is alive; an idle part is."""
        ...


class DaemonControl(DaemonStatus, Protocol):
    """What OperationsService reads, and the two things that it changes."""

    def usage(self) -> Usage:
        """Returns the spool's usage; before the spool is open, an empty one."""
        ...

    def archive(self) -> Archive:
        """Returns the open spool.

        Raises:
            RetryLater: the spool is not open yet, or already closed.
        """
        ...

    async def pause(self, connection: str) -> None:
        """Pauses calls to Intercom for a configured connection, also across restarts. Idempotent."""
        ...

    async def resume(self, connection: str) -> None:
        """Resumes a configured connection. Idempotent."""
        ...
