"""What the operations side needs of the rest of the daemon, and nothing more.

Whoever composes the daemon implements it; nothing here knows workers, engines or servers.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from intercomd_daemon.deliver.status import ConnectionStatus
from intercomd_daemon.spool.base import Archive, Usage


class State(IntEnum):
    """Whether the daemon takes envelopes; the numbers are the contract's."""

    STARTING = 1
    """It waits for its spool."""
    SERVING = 2
    DRAINING = 3


class Check(NamedTuple):
    """Whether one part of the daemon moves: the spool's writer, a connection's worker."""

    name: str
    moves: bool
    detail: str = ""
    """For a person: what it is at, without any user's data."""


Subscribe = Callable[[Callable[[], None]], Callable[[], None]]
"""Subscribes to new outcomes and returns what unsubscribes. The callback is called on the event loop, after the commit,
and only wakes: what has ended stands in the journal."""


class Observed(Protocol):
    """What health, readiness and their readers ask; every answer is at hand and costs nothing."""

    def state(self) -> State:
        """Whether it takes envelopes."""
        ...

    def statuses(self) -> Sequence[ConnectionStatus]:
        """The configured connections, whether they deliver or not."""
        ...

    def checks(self) -> Sequence[Check]:
        """Whether each part moves; one that has nothing to do counts as moving."""
        ...


class Operated(Observed, Protocol):
    """What the operations service asks, and the two things that it may change."""

    def usage(self) -> Usage:
        """The spool's counters; nothing in use, and no connections, before it is open."""
        ...

    def archive(self) -> Archive:
        """The open spool.

        Raises:
            RetryLater: it is not open yet, or no longer.
        """
        ...

    async def pause(self, connection: str) -> None:
        """Stops calling Intercom for a configured connection, remembered over restarts; twice is as good as once."""
        ...

    async def resume(self, connection: str) -> None:
        """Lets a configured connection go on; twice is as good as once."""
        ...
