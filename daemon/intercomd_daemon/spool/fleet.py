"""The interface of a spool that several processes share, as far as it is about those processes."""

from collections.abc import Collection
from typing import Protocol

from intercomd_daemon.fleet.orders import Answer, Order, OrderKind


class Holding(Protocol):
    """What a process knows of a workspace while it delivers it."""

    @property
    def unclean(self) -> bool:
        """Whether calls of an owner before may still arrive: it did not release the workspace."""
        ...

    def check_held(self) -> None:
        """Raises LeaseLost unless a call may leave now; a clock decides, so it costs nothing."""
        ...

    async def wait_lost(self) -> None:
        """Never returns; raises LeaseLost as soon as no further call may be made for the workspace."""
        ...


class Orders(Protocol):
    """The orders of operators for a workspace that this process delivers."""

    async def orders(self, known: Collection[int]) -> list[Order]:
        """Waits for orders of operators to whoever delivers the workspace, other than the known numbers.

        It may return none of them. If the spool is not shared, operators order nothing this way.
        """
        ...

    async def answer(self, order: Order, answer: Answer) -> None:
        """Stores what became of an order, once."""
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


class SharedTime(Protocol):
    """The time of all processes that share a spool; every stored time is from it."""

    def now(self) -> float:
        """Returns Unix seconds; costs nothing."""
        ...
