"""A spool together with the outflow of one workspace, for tests that append, deliver and operate."""

from typing import Any

from intercomd_daemon.spool.base import Deliveries, Outflow, Spool

DELIVERIES = {name for name in vars(Deliveries) if not name.startswith("_")}


class LeasedSpool:
    """Passes deliveries on to the outflow, and everything else to the spool."""

    def __init__(self, spool: Spool, outflow: Outflow) -> None:
        self._spool = spool
        self._outflow = outflow

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a method of one of them
        return getattr(self._outflow if name in DELIVERIES else self._spool, name)


async def leased(spool: Spool) -> LeasedSpool:
    """Acquires a workspace of an open spool."""
    return LeasedSpool(spool, await spool.acquire("workspace"))
