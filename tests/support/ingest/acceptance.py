"""Decoded envelopes, a recording report and a gated spool."""

import asyncio
from collections.abc import Mapping, Sequence

from intercomd_daemon.envelope import Environment, Priority, Refusal, Source
from intercomd_daemon.errors import SecondsTaken, SpoolFull
from intercomd_daemon.ingest.decision import AcceptTimes, Decision
from intercomd_daemon.ingest.decoded import CustomEvent, DecodedEnvelope
from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.rows import Incoming, Usage

NOW = 1_760_000_000


def sent(**given: object) -> DecodedEnvelope:
    """Returns a decoded envelope: by default a custom event of the customer u-1."""
    fields: dict[str, object] = {
        "envelope_id": "e-1",
        "recognised": True,
        "connection": "default",
        "customer_id": "u-1",
        "email": "",
        "source": Source.SERVER,
        "event_time": NOW - 100,
        "user_attributes": [],
        "removed_user_attributes": [],
        "environment": Environment.PRODUCTION,
        "priority": Priority.NORMAL,
        "event": CustomEvent("Order placed", []),
        "traceparent": "",
        "encoded": b"encoded",
    }
    return DecodedEnvelope(**fields | given)


class RecordingReport:
    """A report that records the decisions that it gets."""

    def __init__(self) -> None:
        self.batches: list[list[Decision]] = []
        self.reported = asyncio.Event()

    def on_decisions(self, results: Sequence[Decision], _refusals: Sequence[Refusal], _times: AcceptTimes) -> None:
        self.batches.append(list(results))
        self.reported.set()


class GatedSpool:
    """A spool that appends while its gate is open, and refuses more rows than the limits, at once and in all."""

    def __init__(self, rows_at_once_max: int = 10_000, rows_max: int = 100_000) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.appends: list[list[str]] = []
        self.refusals: list[Refusal] = []
        self.seconds: list[tuple[int, int]] = []
        self._rows_at_once_max = rows_at_once_max
        self._rows_max = rows_max
        self._rows = 0
        self._forwarded: dict[tuple[str, str, str], Forwarded] = {}
        self.insertions: list[asyncio.Future[None]] = []
        """What the next requests wait for."""

    async def append(self, rows: Sequence[Incoming], forwarded: Forwarded | None = None) -> list[int]:
        await self.gate.wait()
        if len(rows) > self._rows_at_once_max or self._rows + len(rows) > self._rows_max:
            raise SpoolFull("the spool is full", 2.0)
        self._rows += len(rows)
        self.appends.append([row.envelope_id for row in rows])
        self.seconds += [pair for row in rows for pair in row.seconds]
        if forwarded is not None:
            self._forwarded[forwarded.key] = forwarded
        return list(range(1, len(rows) + 1))

    def insertion(self) -> asyncio.Future[None] | None:
        return self.insertions.pop() if self.insertions else None

    async def forwarded(self, caller: str, agent_id: str, connection: str) -> Forwarded | None:
        return self._forwarded.get((caller, agent_id, connection))

    def keep_refusals(self, refusals: Sequence[Refusal]) -> None:
        self.refusals += refusals

    def usage(self) -> Usage:
        return Usage({}, 0, 1 << 20, "")


class SharedSpool(GatedSpool):
    """A spool of several processes: it refuses rows whose seconds other processes have claimed."""

    def __init__(self, claims_before_append: Sequence[Mapping[int, int]] = ()) -> None:
        """Before each append, other processes make the next of these claims: key to owner."""
        super().__init__()
        self.claims: dict[int, int] = {}
        self.rows: list[Incoming] = []
        self.attempts = 0
        self._claims_before_append = list(claims_before_append)

    async def append(self, rows: Sequence[Incoming], forwarded: Forwarded | None = None) -> list[int]:
        self.attempts += 1
        if self._claims_before_append:
            self.claims |= self._claims_before_append.pop(0)
        taken: dict[int, int] = {}
        for key, owner in (pair for row in rows for pair in row.seconds):
            if self.claims.get(key, owner) != owner:
                while key in self.claims:
                    taken[key] = self.claims[key]
                    key += 1  # noqa: PLW2901 - the seconds that follow
        if taken:
            raise SecondsTaken(tuple(taken.items()))
        self.claims |= dict(pair for row in rows for pair in row.seconds)
        self.rows += rows
        return await super().append(rows, forwarded)
