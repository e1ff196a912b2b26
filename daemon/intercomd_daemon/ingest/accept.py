"""Accepts envelopes: decides each, allocates seconds to its events, appends it to the spool, and returns the decisions.

A decision leaves here only after the commit that holds its envelope: ACCEPTED means "on disk". A long request pauses
regularly, so that it does not block the event loop.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from msgspec.structs import replace

from intercomd_daemon.connection import ConnectionsByName, by_workspace
from intercomd_daemon.envelope import AcceptedEnvelope, Refusal, TrackEvent, lane_of, replace_events
from intercomd_daemon.errors import ConnectionNotAllowed, RequestRefused, SecondsTaken, SpoolChanged
from intercomd_daemon.ingest.coalescing import RequestCoalescer
from intercomd_daemon.ingest.decision import AcceptTimes, Decision, Disposition
from intercomd_daemon.ingest.decoded import DecodedEnvelope, Forwarder
from intercomd_daemon.ingest.forwarded_request import ForwardedRequest
from intercomd_daemon.ingest.limits import CLOCK_SKEW_SECONDS, REQUEST_EXPANDED_BYTES_MAX
from intercomd_daemon.ingest.refusal import refusal_of
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.rpc.callers import ANYONE, Caller
from intercomd_daemon.spool.base import Intake
from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.record import pack, unpack
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.trace_context import request_traceparent

CHUNK_MAX = 16
CHUNK_BYTES_MAX = 16 << 10
TURN_SECONDS = 0.02
PAUSE_SECONDS = 0.002
"""The pause after each turn of `TURN_SECONDS`, for the other tasks of the loop. Most requests need one turn only."""
APPEND_ATTEMPTS_MAX = 3
"""Appends of a request whose seconds other processes claim. The second fails only if they claim more in between."""


Decide = Callable[[DecodedEnvelope, ConnectionsByName, float, str, str], Decision]
"""Decides an envelope by the settings, the time in Unix seconds, the caller's name and the call's traceparent."""


class AcceptReport(Protocol):
    """Counts and logs decisions."""

    def on_decisions(self, results: Sequence[Decision], refusals: Sequence[Refusal], times: AcceptTimes) -> None:
        """Called once for each accepted request, after its response was handed to gRPC."""
        ...


@dataclass(slots=True, eq=False)
class _Request:
    """A request while it is accepted: what holds for all of its envelopes, and what became of them."""

    connections: ConnectionsByName
    """The settings when it arrived."""
    now: float
    """When it arrived: the time of acceptance of all of its envelopes."""
    caller: Caller
    traceparent: str
    """Of the call's metadata, for envelopes without one of their own."""
    forwarded: ForwardedRequest | None = None
    """What the spool remembers of its agent; None: a sender's request."""
    decisions: list[Decision] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    """What the trail keeps of each rejected or skipped envelope."""
    rows: list[Incoming] = field(default_factory=list)
    """One for each accepted envelope."""
    indexes: list[int] = field(default_factory=list)
    """For each row the index of its decision."""
    unshifted: dict[int, AcceptedEnvelope] = field(default_factory=dict)
    """By the place of its row, an envelope as it was before its events got other seconds."""


class Acceptor:
    """Accepts envelopes; the clock returns Unix seconds."""

    def __init__(
        self,
        connections: ConnectionsByName,
        spool: Intake,
        seconds: TimestampAllocator,
        report: AcceptReport,
        clock: Callable[[], float],
        decide: Decide,
    ) -> None:
        """`seconds` starts with the claims that the spool kept of an earlier run."""
        self._decide = decide
        self._spool = spool
        self._seconds = seconds
        self.reconfigure(connections)
        self._report = report
        self._clock = clock
        self._coalescer = RequestCoalescer()

    def reconfigure(self, connections: ConnectionsByName) -> None:
        """Decides envelopes by these settings from the next request on."""
        self._connections = connections
        # Intercom merges events of one second also if they come from several connections: these claim under one name.
        self._claims_as = {name: names[0] for names in by_workspace(connections).values() for name in names}

    async def accept(
        self,
        envelopes: Iterable[DecodedEnvelope],
        size_bytes: int = 0,
        caller: Caller = ANYONE,
        forwarder: Forwarder | None = None,
    ) -> list[Decision]:
        """Returns the decision of each envelope; the accepted ones are on disk by then.

        Args:
            envelopes: each is decoded when the iteration reaches it.
            size_bytes: the size of the request; small requests that arrive together are decided together.
            caller: who sent the request.
            forwarder: the daemon that forwards the request; a repeat of it gets the decisions of the first attempt.

        Raises:
            RetryLater: nothing was accepted.
            SpoolChanged: the forwarder expects another spool; nothing was accepted.
            ConnectionNotAllowed: the caller may not use the connection of an envelope; nothing was accepted.
            RequestRefused: their events exceed the limit of a request; nothing was accepted.
        """
        received = self._clock()
        # 1. Wait for others first: the requests of a batch then share one turn of the event loop and one commit.
        turn = self._coalescer.join(size_bytes)
        if turn is not None:
            await turn
        # The spool inserts rows in another thread. Both need the interpreter, so decide while the disk syncs.
        insertion = self._spool.insertion()
        if insertion is not None:
            await insertion
        try:
            # 2. Decide every envelope before the first append, so that a malformed one refuses the request as a whole.
            request = self._new_request(caller)
            if forwarder is not None:
                envelopes = await self._recall(request, envelopes, forwarder)
            await self._decide_all(envelopes, request)
            # 3. One append for the request, all or nothing. It returns after the sync.
            decided = self._clock()
            to_remember = request.forwarded.to_remember(request.decisions) if request.forwarded else None
            keys = await self._append(request, to_remember) if request.rows or to_remember else []
            if request.refusals:
                self._spool.keep_refusals(request.refusals)
        finally:
            self._coalescer.on_response()
        # 4. The append found the duplicates, in the transaction that wrote the other rows.
        results = _with_duplicates(request, keys)
        # 5. Logs and metrics come after the response, which the caller writes in this turn of the event loop.
        times = AcceptTimes(received, decided, self._clock() if keys else 0.0)
        new = request.forwarded.first_decided(results) if request.forwarded else results
        asyncio.get_running_loop().call_soon(self._report.on_decisions, new, request.refusals, times)
        return results

    async def _recall(
        self, request: _Request, envelopes: Iterable[DecodedEnvelope], forwarder: Forwarder
    ) -> Iterable[DecodedEnvelope]:
        """Adds to a forwarded request what the spool remembers of its agent; returns the envelopes, unread."""
        spool_id = self._spool.usage().spool_id
        if forwarder.spool_id not in {"", spool_id}:
            raise SpoolChanged(spool_id)
        remaining = iter(envelopes)
        first = next(remaining)
        caller, connection = request.caller.name, first.connection
        remembered = await self._spool.forwarded(caller, forwarder.agent_id, connection)
        request.forwarded = ForwardedRequest(forwarder, caller, connection, remembered)
        return chain((first,), remaining)

    async def check(self, envelopes: Iterable[DecodedEnvelope], caller: Caller = ANYONE) -> list[Decision]:
        """Returns the decision of each envelope by its content and the settings; writes nothing, finds no duplicates.

        Raises:
            RequestRefused: their events exceed the limit of a request.
            ConnectionNotAllowed: the caller may not use the connection of an envelope.
        """
        request = self._new_request(caller)
        await self._decide_all(envelopes, request, to_append=False)
        return request.decisions

    def _new_request(self, caller: Caller) -> _Request:
        return _Request(self._connections, self._clock(), caller, request_traceparent.get())

    async def _decide_all(
        self, envelopes: Iterable[DecodedEnvelope], request: _Request, *, to_append: bool = True
    ) -> None:
        """Decides each envelope; allocates seconds and makes the rows, unless nothing will be appended."""
        connections, now, caller, traceparent = request.connections, request.now, request.caller, request.traceparent
        decisions, rows = request.decisions, request.rows
        only, earlier = (request.forwarded.connection, request.forwarded.earlier) if request.forwarded else ("", {})
        time = asyncio.get_running_loop().time
        turn_ends = time() + TURN_SECONDS
        expanded_bytes = 0
        for chunk in _chunks(envelopes):
            for envelope in chunk:
                _check_connection(envelope.connection, caller, only)
                if earlier and (repeated := earlier.get(envelope.envelope_id)) is not None:
                    decisions.append(repeated)
                    continue
                decision = self._decide(envelope, connections, now, caller.name, traceparent)
                accepted = decision.accepted
                if accepted is not None:
                    operations = accepted.operations
                    # Events come last, so there are several of them if the last but one operation is an event.
                    if len(operations) > 1 and type(operations[-2]) is TrackEvent:
                        expanded_bytes = _expanded(expanded_bytes, accepted)
                    if to_append:
                        decision, row = self._make_row(len(rows), decision, accepted, request)
                        request.indexes.append(len(decisions))
                        rows.append(row)
                else:
                    request.refusals.append(refusal_of(envelope, decision, now, caller.name))
                decisions.append(decision)
            if time() >= turn_ends:
                await asyncio.sleep(PAUSE_SECONDS)
                turn_ends = time() + TURN_SECONDS

    def _make_row(
        self, place: int, decision: Decision, envelope: AcceptedEnvelope, request: _Request
    ) -> tuple[Decision, Incoming]:
        """Allocates seconds to the events, and returns the decision with their final times and the row to append.

        The claims travel with the row, so that one commit stores both. Without `same_second = "shift"`, and without an
        id that a repeat would have, too, events keep their times: a repeat would shift against its first delivery.

        The decision does not hold the envelope any longer. The next envelope then uses its memory, which is in the
        processor's caches; the memory of a whole request is not.
        """
        name, lane = decision.connection, lane_of(envelope.customer_id, envelope.email)
        event_time = decision.event_time
        pairs: tuple[tuple[int, int], ...] = ()
        events = envelope.events
        if events and decision.recognised and request.connections[name].same_second == "shift":
            latest = int(request.now) + CLOCK_SKEW_SECONDS
            claims_as = self._claims_as.get(name, name)  # It may write nothing, or a reload has removed it meanwhile.
            allocation = self._seconds.allocate(claims_as, lane, envelope.envelope_id, events, latest)
            pairs = allocation.pairs
            event_time = allocation.events[0].created_at
            if allocation.findings:
                request.unshifted[place] = envelope
                operations = replace_events(envelope.operations, allocation.events)
                adjustments = envelope.adjustments + allocation.findings
                envelope = replace(envelope, operations=operations, adjustments=adjustments)
        row = Incoming(
            connection=name,
            priority=decision.priority,
            lane=lane,
            envelope_id=envelope.envelope_id,
            data=pack(envelope),
            recognised=decision.recognised,
            seconds=pairs,
            email=envelope.email,
        )
        decided = Decision(
            envelope.envelope_id,
            name,
            decision.disposition,
            adjustments=envelope.adjustments,
            adjustments_omitted=decision.adjustments_omitted,
            priority=decision.priority,
            recognised=decision.recognised,
            event_time=event_time,
            traceparent=envelope.traceparent,
        )
        return decided, row

    async def _append(self, request: _Request, forwarded: Forwarded | None) -> list[int]:
        """Appends the rows, and returns their keys.

        If other processes claimed seconds of the rows, the events are shifted and all rows are appended again. All of
        them wait for that, so that no later row of a lane overtakes a shifted one.
        """
        for _ in range(APPEND_ATTEMPTS_MAX - 1):
            try:
                return await self._spool.append(request.rows, forwarded)
            except SecondsTaken as error:
                self._seconds.learn(error.pairs)
                self._shift(request, {key for key, _ in error.pairs})
        return await self._spool.append(request.rows, forwarded)

    def _shift(self, request: _Request, taken: set[int]) -> None:
        """Allocates anew for the rows that claim one of these seconds, from the event times as they were sent.

        An event whose second is not taken gets it again, as its owner.
        """
        for place, row in enumerate(request.rows):
            if not taken.isdisjoint(key for key, _ in row.seconds):
                envelope = request.unshifted.get(place) or unpack(row.data, AcceptedEnvelope)
                index = request.indexes[place]
                made = self._make_row(place, request.decisions[index], envelope, request)
                request.decisions[index], request.rows[place] = made


def _check_connection(name: str, caller: Caller, only: str) -> None:
    """Checks the connection of an envelope; `only`: the one of a forwarded request, empty for a sender's."""
    if caller.connections is not None and name not in caller.connections:
        raise ConnectionNotAllowed(name, caller.name)
    if only and name != only:
        text = "a forwarded request has envelopes of several connections: forward each by itself"
        raise RequestRefused("envelopes", text)


def _chunks(envelopes: Iterable[DecodedEnvelope]) -> Iterator[list[DecodedEnvelope]]:
    """Splits a request into chunks: decoding some envelopes and then deciding them is a fifth faster than in turns."""
    chunk: list[DecodedEnvelope] = []
    size_bytes = 0
    for envelope in envelopes:
        chunk.append(envelope)
        size_bytes += len(envelope.encoded)
        if len(chunk) == CHUNK_MAX or size_bytes > CHUNK_BYTES_MAX:
            yield chunk
            chunk, size_bytes = [], 0
    if chunk:
        yield chunk


def _expanded(expanded_bytes: int, envelope: AcceptedEnvelope) -> int:
    """Adds the events of an expanded envelope to the size of the request's events, within the limit."""
    expanded_bytes += sum(len(event.metadata) for event in envelope.events)
    if expanded_bytes > REQUEST_EXPANDED_BYTES_MAX:
        text = f"expands to {expanded_bytes} bytes or more, limit {REQUEST_EXPANDED_BYTES_MAX}: send smaller requests"
        raise RequestRefused("envelopes", text)
    return expanded_bytes


def _with_duplicates(request: _Request, keys: Sequence[int]) -> list[Decision]:
    """Returns the decisions, with DUPLICATE where the spool returned no key for a row."""
    results = list(request.decisions)
    if not all(keys):
        for index, key in zip(request.indexes, keys, strict=True):
            if not key:
                results[index] = replace(results[index], disposition=Disposition.DUPLICATE)
    return results
