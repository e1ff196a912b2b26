"""The interface of a spool that several processes share, as far as it is about those processes."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

from intercomd_daemon.connection_status import ConnectionStatus
from intercomd_daemon.fleet.orders import Answer, Order, OrderKind
from intercomd_daemon.fleet.status import FleetStatus

CanDeliver = Callable[[], Awaitable[bool]]
"""Returns whether this process could deliver a workspace now."""


class Holding(Protocol):
    """What a process knows of a workspace while it delivers it."""

    @property
    def unclean(self) -> bool:
        """Whether calls of a previous owner may still arrive: it did not release the workspace."""
        ...

    async def wait_asked(self) -> None:
        """Returns when another process is to deliver the workspace: then it must be released. Else it never returns."""
        ...

    def report_trouble(self, *, troubled: bool) -> None:
        """Notes whether this process can deliver. If it cannot for long, another one may take the workspace over."""
        ...

    def check_held(self) -> None:
        """Raises LeaseLost unless a call may leave now; a clock decides, so it costs nothing."""
        ...

    async def wait_lost(self) -> None:
        """Never returns; raises LeaseLost as soon as no further call may be made for the workspace."""
        ...


class SharedOutflow(Protocol):
    """What the process that delivers a workspace does for the operators of all."""

    async def orders(self, known: Collection[int]) -> list[Order]:
        """Waits for orders of operators to the daemon that delivers the workspace, other than the known numbers.

        May return an empty list. If the spool is not shared, there are no orders: operators call the daemon itself.
        """
        ...

    async def answer(self, order: Order, answer: Answer) -> None:
        """Stores what became of an order, once."""
        ...

    async def report(self, statuses: Mapping[str, ConnectionStatus]) -> None:
        """Shows the statuses of the workspace's connections, by name, to all processes."""
        ...


class Fleet(Protocol):
    """What a spool that several processes share does for their operators."""

    async def order(self, workspace: str, connection: str, kind: OrderKind, key: int, envelope_id: str) -> Answer:
        """Gives an order to the process that delivers a workspace, and waits for its answer.

        A pause or a resumption is stored, as by `set_paused`, and needs no answer once that process makes no more
        calls. `key` and `envelope_id` name the row to give up.

        Raises:
            RetryLater: too many orders wait, or none was answered in time; an order without an answer stays in force.
        """
        ...

    def join(self, version: str, digests: Mapping[str, str]) -> None:
        """Sets what others are shown of this process: its release, and a digest of each section of its settings."""
        ...

    def status(self) -> FleetStatus:
        """Returns what was last read of the fleet; costs nothing."""
        ...

    def connection_status(self, connection: str) -> ConnectionStatus | None:
        """Returns what the process that delivers a connection last reported of it; None: nothing."""
        ...

    def deliverer(self, connection: str) -> str:
        """Returns the `daemon_id` of the process that delivers a connection; empty: none does."""
        ...

    def is_paused(self, connection: str) -> bool:
        """Returns whether an operator paused a connection, as last read."""
        ...

    def on_outcomes(self, wake: Callable[[], None]) -> None:
        """Registers what to call, on the event loop, after other processes committed outcomes."""
        ...


class SharedTime(Protocol):
    """The time of all processes that share a spool; every stored time is from it."""

    def now(self) -> float:
        """Returns Unix seconds; costs nothing."""
        ...
