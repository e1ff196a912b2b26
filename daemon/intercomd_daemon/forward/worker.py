"""Forwards the envelopes of one connection to the gateway, in commit order, normal before bulk, one call at a time."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Protocol

from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus, LaneState
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import RetryLater, ShuttingDown
from intercomd_daemon.forward.batch import Batch, BatchEntry, NextBatch, PartLimit
from intercomd_daemon.forward.completions import complete, give_up, refuse
from intercomd_daemon.forward.gateway import Gateway
from intercomd_daemon.forward.replies import Next, Reply, advise, advise_probe
from intercomd_daemon.forward.sequences import Sequences
from intercomd_daemon.forward.state import ForwardState
from intercomd_daemon.outcome import Outcome, Progress
from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.record import RecordDamaged, pack, unpack
from intercomd_daemon.spool.rows import Completion, ReadWaiting, Settlement

LEFT_OUT_MAX = 1_000
"""Given-up rows that reads leave out: a read that has started may still return a row that has just ended."""
RETRY_SECONDS = 1.0
_MICROSECONDS = 1_000_000


class ForwardObserver(Protocol):
    """Receives what happens to a connection: for log lines, metrics and watchers."""

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Takes committed outcomes."""
        ...

    def on_forward(self, connection: str, code: str, envelopes: int, seconds: float) -> None:
        """Takes a call to the gateway with the name of its status and its duration."""
        ...

    def on_state(self, connection: str, state: ConnectionState, reason: str) -> None:
        """Takes a change of the state or its reason."""
        ...

    def on_notice(self, connection: str, event: str, **details: object) -> None:
        """Takes something else that an operator should see."""
        ...


class ForwardWorker:
    """The worker of one connection of an agent.

    A batch is stored with its sequence before it is sent (`_store_next_batch`), and its envelopes have their outcomes
    before the next batch is sent (`_settle`). So the last request that the gateway remembers of this agent is always
    the one whose results the agent may be missing, and a repeat of it gets the same results.
    """

    def __init__(
        self,
        name: str,
        agent_id: str,
        spool: Outflow,
        gateway: Gateway,
        observer: ForwardObserver,
        *,
        paused: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`agent_id` is the id of the agent's spool; `wall` returns Unix seconds."""
        self._name = name
        self._agent_id = agent_id
        self._spool = spool
        self._gateway = gateway
        self._observer = observer
        self._wall = wall
        self._state = ForwardState(paused=paused)
        self._reported = self._state.current()
        self._since = wall()
        self._gateway_spool_id = ""
        """Of the gateway that answered first, or that an operator confirmed; empty until then."""
        self._next_batches = {priority: NextBatch() for priority in Priority}
        self._appends = dict.fromkeys(Priority, 0)
        self._batch: Batch | None = None
        self._part_limit = PartLimit()
        self._sequences = Sequences()
        self._left_out: deque[int] = deque(maxlen=LEFT_OUT_MAX)
        self._calls = 0
        self._attempts = 0
        self._calling = False
        self._running = False
        self._stopping = False
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Forwards until `stop`; a bug in the daemon ends it with the exception."""
        self._spool.on_append(self._name, self._on_append)
        self._running = True
        try:
            self._gateway_spool_id = (await self._spool.load_state(self._gateway_spool_key)).decode()
            self._sequences.restore(int(await self._spool.load_state(self._sequences_key) or b"0"))
            await self._recover()
            while not self._stopping:
                if not await self._step():
                    await self._wait()
        finally:
            self._running = False

    async def _step(self) -> bool:
        """Does what is due next; returns False if nothing is."""
        if self._state.next_at() > time.monotonic():
            return False
        if not self._state.verified:
            await self._verify()
        elif self._batch is not None:
            await self._forward(self._batch)
        else:
            return await self._store_next_batch()
        return True

    async def _wait(self) -> None:
        """Waits until a call is due, or something happens that may let one leave."""
        seconds = self._state.next_at() - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == inf or seconds <= 0 else seconds):
                await self._wake.wait()
        self._wake.clear()

    @property
    def _gateway_spool_key(self) -> str:
        """The name under which it stores the id of the gateway's spool."""
        return f"upstream/{self._name}"

    @property
    def _sequences_key(self) -> str:
        """The name under which it stores the limit of the sequences."""
        return f"sequences/{self._name}"

    # The gateway.

    async def _verify(self) -> None:
        """Probes whether the gateway takes envelopes of this connection; stores the id of its spool the first time."""
        reply = await self._call(self._gateway.probe(self._name, self._agent_id), 0)
        advice = advise_probe(reply, self._gateway_spool_id)
        if advice.next is Next.SETTLE:
            if not self._gateway_spool_id:
                await self._use_spool(reply.spool_id)
            self._state.verified = True
        self._state.on_reply(advice, reply, time.monotonic(), random.random())  # noqa: S311 - jitter, not a secret
        self._report()

    async def _use_spool(self, spool_id: str) -> None:
        self._gateway_spool_id = spool_id
        await self._spool.save_state(self._gateway_spool_key, spool_id.encode())

    async def _call(self, call: Awaitable[Reply], envelopes: int) -> Reply:
        """Makes a call with this number of envelopes (0: a probe), and reads ahead meanwhile."""
        started = time.monotonic()
        self._calls += 1
        self._calling = envelopes > 0
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read_ahead())
                reply = await call
        finally:
            self._calling = False
        self._observer.on_forward(self._name, reply.code, envelopes, time.monotonic() - started)
        return reply

    async def _forward(self, batch: Batch) -> None:
        """Sends the next part of the batch, and commits the outcomes of those envelopes that have one."""
        part = batch.part(self._part_limit.envelopes)
        sources = [entry.envelope.source for entry in part]
        call = self._gateway.publish(sources, self._agent_id, batch.sequence, self._gateway_spool_id)
        self._attempts += 1
        reply = await self._call(call, len(part))
        advice = advise(reply, len(part))
        self._state.on_reply(advice, reply, time.monotonic(), random.random())  # noqa: S311 - jitter, not a secret
        self._report()
        now = self._wall()
        if advice.next is Next.SETTLE:
            self._part_limit.on_success()
            await self._settle(
                batch,
                [
                    complete(key, envelope, result, self._name, reply.spool_id, now)
                    for (key, envelope), result in zip(part, reply.results, strict=True)
                ],
            )
        elif advice.next is Next.DIVIDE:
            self._part_limit.on_refusal(len(part))
            if len(part) == 1:
                key, envelope = part[0]
                await self._settle(batch, [refuse(key, envelope, reply, self._name, now)])
        elif reply.code == "UNAVAILABLE" and reply.retry_after_seconds is not None and self._state.failures > 1:
            # The gateway took nothing. If its spool is almost full, it may have room for fewer envelopes.
            self._part_limit.on_refusal(len(part))

    async def _settle(self, batch: Batch, completions: Sequence[Completion]) -> None:
        """Commits the outcomes of a part, and in the same commit the batch that is sent next."""
        batch.settle(len(completions))
        following = batch if batch.entries else await self._take_batch()
        progress = [_stored(following)] if following is not None else []
        self._batch = following  # Before the commit: none of its envelopes may be given up from now on.
        outcomes = await self._spool.settle([Settlement(self._name, completions, progress)])
        self._attempts = 0
        self._observer.on_outcomes(outcomes)

    # Batches.

    async def _recover(self) -> None:
        """Finds the batch that an earlier run stored: its sequence is in the progress of a log's first row."""
        for priority in Priority:
            stored = await self._read(priority)
            if stored is not None and self._batch is None:
                log = self._next_batches[priority]
                while log.should_read and log.after < stored.batch_last_key:
                    await self._read(priority)
                entries = log.take_range(stored.batch_last_key)
                self._batch = Batch(stored.batch_sequence, priority, entries, stored.batch_last_key)
                self._sequences.restore(stored.batch_sequence)

    async def _store_next_batch(self) -> bool:
        """Stores the next batch; returns False if nothing waits."""
        await self._read_ahead()
        batch = await self._take_batch()
        if batch is not None:
            self._batch = batch  # Before the commit: none of its envelopes may be given up from now on.
            await self._spool.settle([Settlement(self._name, progress=[_stored(batch)])])
        return batch is not None

    async def _take_batch(self) -> Batch | None:
        """Removes the next batch from what was read, and returns it: bulk only once no normal row waits."""
        normal, bulk = self._next_batches[Priority.NORMAL], self._next_batches[Priority.BULK]
        now = int(self._wall() * _MICROSECONDS)
        if (normal or bulk) and (limit := self._sequences.reserve(now)):
            await self._spool.save_state(self._sequences_key, str(limit).encode())
        if not normal and not normal.ended:
            return None  # There may be normal rows: read first.
        priority = Priority.NORMAL if normal else Priority.BULK
        entries = self._next_batches[priority].take()
        if not entries:
            return None
        return Batch(self._sequences.take(now), priority, entries, entries[-1].key)

    async def _read_ahead(self) -> None:
        """Reads rows of the next batch, until it has one or the logs end."""
        normal, bulk = self._next_batches[Priority.NORMAL], self._next_batches[Priority.BULK]
        if normal.should_read:
            await self._read(Priority.NORMAL)
        # A page may hold damaged rows alone.
        while not normal and not normal.ended:
            await self._read(Priority.NORMAL)
        if not normal and bulk.should_read:
            await self._read(Priority.BULK)
        while not normal and not bulk and not bulk.ended:
            await self._read(Priority.BULK)

    async def _read(self, priority: Priority) -> Progress | None:
        """Reads a page of a log; returns the progress of a row that begins a stored batch."""
        log = self._next_batches[priority]
        rows_max, bytes_max, appends = log.rows_left, log.bytes_left, self._appends[priority]
        page = await self._spool.read(self._name, priority, log.after, rows_max, bytes_max)
        size = sum(len(row.data) for row in page.rows)
        # A row that was appended meanwhile may be missing from the page.
        ended = len(page.rows) < rows_max and size < bytes_max and not page.corrupt and not page.moved
        entries: list[BatchEntry] = []
        unreadable: list[str] = list(page.corrupt)
        stored: Progress | None = None
        for row in page.rows:
            if row.key in self._left_out:
                continue
            try:
                entries.append(BatchEntry(row.key, unpack(row.data, AcceptedEnvelope)))
                if row.progress and (progress := unpack(row.progress, Progress)).batch_sequence:
                    stored = progress
            except RecordDamaged as error:
                unreadable.append(f"row {row.key}: {error}")
        log.add(entries, page.after, ended=ended and appends == self._appends[priority])
        if unreadable:
            self._observer.on_notice(self._name, "rows_damaged", rows=unreadable)
        if page.outcomes:
            self._observer.on_outcomes(page.outcomes)
        return stored

    def _on_append(self, priority: Priority) -> None:
        self._appends[priority] += 1
        self._next_batches[priority].ended = False
        self._wake.set()

    # Operating.

    def stop(self) -> None:
        """Starts no further call; `run` returns when the results of the one in flight are committed."""
        self._stopping = True
        self._wake.set()

    def pause(self, *, paused: bool) -> None:
        """Pauses or resumes the calls; the one in flight is finished."""
        self._state.pause(paused=paused)
        self._report()
        self._wake.set()

    def probe_now(self) -> None:
        """Makes the next call due; after a change of the gateway's spool, uses the new one from now on."""
        confirmed = self._state.probe_now()
        if confirmed:
            self._gateway_spool_id = ""  # The next probe stores the one that answers then.
            self._observer.on_notice(self._name, "upstream_confirmed", spool_id=confirmed)
        self._wake.set()

    async def give_up(self, _lane_key: str, key: int, read: ReadWaiting) -> Outcome | None:
        """Ends a waiting envelope as a dead letter; returns its outcome, or None if it does not wait any more.

        Raises:
            RetryLater: the worker does not run, or the gateway may have the envelope already.
        """
        if not self._running or self._stopping:
            raise ShuttingDown("the connection is stopped: try again", RETRY_SECONDS)
        if self._batch is not None and key in self._batch:
            text = "the envelope is being forwarded and may be at the gateway already: give it up there"
            raise RetryLater(text, RETRY_SECONDS)
        self._left_out.append(key)
        for log in self._next_batches.values():
            log.discard(key)
        found = await read(key)
        if found is None:
            return None
        try:
            envelope = unpack(found.row.data, AcceptedEnvelope)
        except RecordDamaged:
            return None  # Another release wrote it: only that one can end it.
        ended = give_up(key, envelope, self._name, self._wall())
        outcomes = await self._spool.settle([Settlement(self._name, [ended])])
        self._observer.on_outcomes(outcomes)
        return outcomes[0] if outcomes else None

    def lane_state(self, _lane_key: str, key: int) -> LaneState:
        """Returns the state of the connection, as far as the envelope of a row is concerned."""
        in_batch = self._batch is not None and key in self._batch
        failures = self._state.failures
        return LaneState(
            in_flight=self._calling and in_batch,
            failures=failures,
            retry_at=self._wall_of(self._state.retry_at) if failures else 0.0,
            attempts=self._attempts if in_batch else 0,
            http_status=0,
            last_error=self._state.last_error if failures else "",
        )

    @property
    def troubled(self) -> bool:
        """Never: an agent shares no workspace."""
        return False

    def status(self) -> ConnectionStatus:
        """Returns the status of the connection."""
        state, reason = self._reported
        retries = self._state.failures and self._state.next_at() < inf
        return ConnectionStatus(
            name=self._name,
            state=state,
            reason=reason,
            since=self._since,
            calls=self._calls,
            lanes_open=int(self._calling),
            rows_read_ahead=sum(map(len, self._next_batches.values()))
            + (len(self._batch.entries) if self._batch else 0),
            next_probe=self._wall_of(self._state.retry_at) if retries else 0.0,
            last_error=self._state.last_error,
            upstream=self._gateway.target,
            upstream_spool_id=self._gateway_spool_id,
        )

    def _wall_of(self, monotonic: float) -> float:
        return self._wall() + max(0.0, monotonic - time.monotonic())

    def _report(self) -> None:
        """Reports a changed state. A change of the error text alone is not reported."""
        current = self._state.current()
        if current == self._reported:
            return
        changed = current[0] != self._reported[0] or current[0] is ConnectionState.SUSPENDED
        self._reported = current
        if changed:
            self._since = self._wall()
            self._observer.on_state(self._name, *current)


def _stored(batch: Batch) -> tuple[int, bytes]:
    """Returns what the spool stores of a batch, with its first row that waits."""
    return batch.entries[0].key, pack(Progress(batch_sequence=batch.sequence, batch_last_key=batch.last_key))
