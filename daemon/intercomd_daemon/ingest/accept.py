"""The inbound half: look at each envelope, give its events seconds of their own, append, and say what became of it.

Whoever waits gets a turn amid a request that takes long.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from msgspec.structs import replace

from intercomd_daemon.connection import Connections
from intercomd_daemon.envelope import AcceptedEnvelope, lane_of, replace_events
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.ingest.coalescing import RequestCoalescer
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decoded import DecodedEnvelope
from intercomd_daemon.ingest.limits import CLOCK_SKEW_SECONDS, REQUEST_EXPANDED_BYTES_MAX
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.spool.base import Incoming, Intake
from intercomd_daemon.spool.record import pack

HANDFUL_MAX = 16
HANDFUL_BYTES_MAX = 16 << 10
TURN_SECONDS = 0.02
PAUSE_SECONDS = 0.002
"""After so long a turn the others on the event loop have so long for theirs; a usual request needs no second one."""


class AcceptReport(Protocol):
    """Whoever counts and logs what was accepted."""

    def on_decisions(self, results: Sequence[Decision]) -> None:
        """Told once a batch, after the answer."""
        ...


class Acceptor:
    """Accepts envelopes; the clock tells Unix seconds."""

    def __init__(
        self,
        rules: Connections,
        spool: Intake,
        seconds: TimestampAllocator,
        report: AcceptReport,
        clock: Callable[[], float],
    ) -> None:
        """`seconds` are those that the spool remembers from an earlier run."""
        self._rules = rules
        self._spool = spool
        self._seconds = seconds
        self._report = report
        self._clock = clock
        self._coalescer = RequestCoalescer()

    async def accept(self, envelopes: Iterable[DecodedEnvelope], size_bytes: int = 0) -> list[Decision]:
        """What became of each; when it returns, the accepted ones are on disk.

        Args:
            envelopes: decoded as they are asked for.
            size_bytes: what they have as they came; small requests that come together are examined together.

        Raises:
            RetryLater: nothing was taken.
            RequestRefused: more comes of them than a request may become; nothing was taken.
        """
        await self._coalescer.join(size_bytes)
        try:
            rows: list[Incoming] = []
            examined = await self._examine(envelopes, rows)
            keys = await self._spool.append(rows) if rows else []
        finally:
            self._coalescer.on_answer()
        results = _receipts(examined, keys)
        asyncio.get_running_loop().call_soon(self._report.on_decisions, results)  # Once the answer is on its way.
        return results

    async def look(self, envelopes: Iterable[DecodedEnvelope]) -> list[Decision]:
        """What would become of each, by itself and the settings alone; nothing is written.

        Raises:
            RequestRefused: more would come of them than a request may become.
        """
        return await self._examine(envelopes, None)

    async def _examine(self, envelopes: Iterable[DecodedEnvelope], rows: list[Incoming] | None) -> list[Decision]:
        """What becomes of each; adds the rows to append if they are wanted."""
        rules, now = self._rules, self._clock()
        latest = int(now) + CLOCK_SKEW_SECONDS
        time = asyncio.get_running_loop().time
        turn_ends = time() + TURN_SECONDS
        results: list[Decision] = []
        expanded_bytes = 0
        for handful in _handfuls(envelopes):
            for envelope in handful:
                result = decide(envelope, rules, now)
                accepted = result.accepted
                if accepted is not None:
                    if len(accepted.operations) > 1:
                        expanded_bytes = _expanded(expanded_bytes, accepted)
                    if rows is not None:
                        result, row = self._enter(result, accepted, latest)
                        rows.append(row)
                results.append(result)
            if time() >= turn_ends:
                await asyncio.sleep(PAUSE_SECONDS)
                turn_ends = time() + TURN_SECONDS
        return results

    def _enter(self, result: Decision, envelope: AcceptedEnvelope, latest: int) -> tuple[Decision, Incoming]:
        """The row to append, with the envelope's events on seconds that no other event of the user and name has."""
        lane = lane_of(envelope.customer_id, envelope.email)
        pairs: tuple[tuple[int, int], ...] = ()
        events = envelope.events
        if events and result.recognised and self._rules[result.connection].same_second == "shift":
            placed = self._seconds.place(result.connection, lane, envelope.envelope_id, events, latest)
            pairs = placed.pairs
            if placed.findings:
                adjustments = envelope.adjustments + placed.findings
                envelope = replace(
                    envelope, operations=replace_events(envelope.operations, placed.events), adjustments=adjustments
                )
                result = replace(result, accepted=envelope, adjustments=adjustments)
        name, priority, envelope_id = result.connection, result.priority, result.envelope_id
        return result, Incoming(name, priority, lane, envelope_id, pack(envelope), result.recognised, pairs)


def _handfuls(envelopes: Iterable[DecodedEnvelope]) -> Iterator[list[DecodedEnvelope]]:
    """A few at a time: decoding some and then examining them is a fifth faster than the two by turns."""
    handful: list[DecodedEnvelope] = []
    size_bytes = 0
    for envelope in envelopes:
        handful.append(envelope)
        size_bytes += len(envelope.encoded)
        if len(handful) == HANDFUL_MAX or size_bytes > HANDFUL_BYTES_MAX:
            yield handful
            handful, size_bytes = [], 0
    if handful:
        yield handful


def _expanded(expanded_bytes: int, envelope: AcceptedEnvelope) -> int:
    """How much has come of a request with this envelope, which became several events."""
    expanded_bytes += sum(len(event.metadata) for event in envelope.events)
    if expanded_bytes > REQUEST_EXPANDED_BYTES_MAX:
        text = f"the events that come of one request have at most {REQUEST_EXPANDED_BYTES_MAX} bytes: send less at once"
        raise RequestRefused("envelopes", text)
    return expanded_bytes


def _receipts(examined: Sequence[Decision], keys: Sequence[int]) -> list[Decision]:
    """The results, with those that the spool knew already as duplicates; a key for each accepted one."""
    if all(keys):
        return list(examined)
    remaining = iter(keys)
    return [
        replace(result, disposition=Disposition.DUPLICATE)
        if result.accepted is not None and not next(remaining)
        else result
        for result in examined
    ]
