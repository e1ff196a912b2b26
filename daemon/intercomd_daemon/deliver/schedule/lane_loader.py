"""From the spool to lanes in memory: reads the logs ahead within the window, sets lanes aside, feeds them when due.

It awaits the spool, and decides nothing about calls. Every change to what is in memory happens between two awaits.
"""

from collections.abc import Callable, Coroutine
from math import inf
from typing import Any
from weakref import WeakValueDictionary

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.deliver.schedule.backoff import CAP_SECONDS
from intercomd_daemon.deliver.schedule.read_ahead import BYTES_MAX, LANE_ROWS_MAX, READ_ROWS, window
from intercomd_daemon.deliver.schedule.ready_queue import ReadyQueue
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import Outcome, Progress
from intercomd_daemon.spool.base import Batch, Outflow, Row, Settlement
from intercomd_daemon.spool.record import RecordDamaged, pack, unpack

# Parked lanes in memory at once; further ones wait in the spool until one of these is done or set aside again.
FED_LANES_MAX = 64
READ_BYTES_MAX = 1024 * 1024
# Of a parked lane in memory, but at least one envelope.
FED_BYTES_MAX = BYTES_MAX // 16
# A time before every `now`: ask at the next turn.
_AT_ONCE = 0.0

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class LaneLoader:
    """The lanes of one connection that are in memory."""

    def __init__(
        self,
        settings: ConnectionSettings,
        spool: Outflow,
        catalog: AttributeCatalog,
        ready_queue: ReadyQueue,
        spawn: Spawn,
        then: Callable[[], None],
    ) -> None:
        """`then` is called whenever rows have come in, or a time has become known at which some are due."""
        self.lanes: dict[str, Lane] = {}
        self._next_due = _AT_ONCE
        """When to ask the spool for parked lanes that are due, Unix seconds; infinite if none is parked."""
        self._now = 0.0
        self.damaged: list[str] = []
        """Descriptions of quarantined rows, to be reported."""
        self.ended_damaged: list[Outcome] = []
        """The outcomes of those rows."""
        self._settings = settings
        self._spool = spool
        self._catalog = catalog
        self._unavailable = UnavailableContacts()
        self._ready_queue = ready_queue
        self._spawn = spawn
        self._then = then
        self._window = window()
        self._rows: dict[int, tuple[Priority, int]] = {}
        self._fed: set[str] = set()
        self._reading = False
        self._leaving: dict[str, tuple[float, int]] = {}
        """Lanes that are being set aside, until no read that was under way can bring rows of theirs."""
        self._left: set[str] = set()
        """Those of them that the spool has set aside."""
        self._contacts: WeakValueDictionary[str, Contact] = WeakValueDictionary()

    @property
    def rows(self) -> int:
        """Rows read ahead."""
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether rows in memory keep others from being read."""
        return any(read_ahead.full for read_ahead in self._window.values())

    @property
    def due_at(self) -> float:
        """When a parked lane is to be brought back, Unix seconds; infinite if none is, or none may be."""
        return self._next_due if len(self._fed) < FED_LANES_MAX else inf

    def appended(self, priority: Priority) -> None:
        """Rows were appended to a log."""
        self._window[priority].appended()

    def fill(self) -> None:
        """Reads on where the window has room."""
        if self._reading:
            return
        for priority, read_ahead in self._window.items():
            if read_ahead.wants():
                self._reading = True
                read_ahead.reading()
                self._spawn(self._read(priority))
                return

    async def _read(self, priority: Priority) -> None:
        read_ahead = self._window[priority]
        batch = await self._spool.read(self._settings.name, priority, read_ahead.after, READ_ROWS, READ_BYTES_MAX)
        read_ahead.read(len(batch.rows), sum(len(row.data) for row in batch.rows), batch.after)
        for row in batch.rows:
            self._rows[row.key] = (row.priority, len(row.data))
        self._take(priority, batch)
        self._reading = False
        for key in self._left:
            self._gone(key)
        self._left.clear()
        self._then()

    def _take(self, priority: Priority, batch: Batch) -> None:
        self._note_damage(batch)
        again: dict[str, list[int]] = {}
        for row in batch.rows:
            if row.lane in self._leaving or row.lane in self._fed:
                again.setdefault(row.lane, []).append(row.key)
            else:
                self._add(row, batch)
        for key, keys in again.items():
            due, attempts = self._leaving.get(key, (0.0, 0))
            self.leave(keys)
            self._spawn(self._spool.park(self._settings.name, key, keys, due, attempts))
            # A lane that has just run dry would not be asked for again.
            self._next_due = _AT_ONCE
        if priority is Priority.NORMAL:
            for key in self._fed & self.lanes.keys() & (batch.moved | again.keys()):
                self._overtake(self.lanes[key])

    def _overtake(self, lane: Lane) -> None:
        """Normal rows follow a lane that is fed: they go before its bulk ones in memory, which are fed again."""
        if lane.queue.yield_to_normal() and not len(lane.queue) and self._ready_queue.leave(lane):
            self._spawn(self._refeed(lane.key))

    def _note_damage(self, batch: Batch) -> None:
        self.damaged += batch.corrupt
        self.ended_damaged += batch.outcomes

    def _add(self, row: Row, batch: Batch) -> None:
        lane = self.lanes.get(row.lane)
        if lane is None:
            known = batch.contacts.get(row.lane)
            contact = self._contact(known.contact_id, known.data) if known else Contact()
            lane = Lane(row.lane, contact, self._settings, self._catalog, self._unavailable)
            lane.failures = batch.attempts
            self.lanes[row.lane] = lane
        try:
            envelope = unpack(row.data, AcceptedEnvelope)
            progress = unpack(row.progress, Progress) if row.progress else Progress()
        except RecordDamaged as damage:
            # The engine has checked the sum: a release wrote this that we do not understand. It stays where it is.
            self.damaged.append(f"row {row.key}, left where it is: {damage}")
            self.leave([row.key])
            return
        lane.queue.add(PendingEnvelope(row.key, row.priority, envelope, progress))
        self._ready_queue.ready(lane)
        if len(lane.queue) > LANE_ROWS_MAX and row.lane not in self._fed:
            self._overflow(lane)

    def _contact(self, contact_id: str, data: bytes) -> Contact:
        contact = self._contacts.get(contact_id) if contact_id else None
        if contact is None:
            contact = Contact(contact_id, data)
            if contact_id:
                self._contacts[contact_id] = contact
        return contact

    def share(self, lane: Lane) -> None:
        """Makes lanes that turned out to be the same person share what is known of the contact."""
        contact = lane.contact
        if not contact.id:
            return
        other = self._contacts.setdefault(contact.id, contact)
        if other is not contact and other.id == contact.id:
            other.absorb(contact)
            lane.contact = other

    def _overflow(self, lane: Lane) -> None:
        """A lane larger than its share of the window: its rows go to a queue of its own, from which it is fed."""
        if len(self._fed) >= FED_LANES_MAX and self._ready_queue.leave(lane):
            # What is fed does not count to the window, so that only so many may be; this one waits for its turn.
            self.park(lane, self._now)
            return
        keys = lane.queue.keys()
        self._fed.add(lane.key)
        lane.queue.truncate(LANE_ROWS_MAX)
        self.leave(keys)
        self._spawn(self._spool.park(self._settings.name, lane.key, keys, 0.0, 0))

    def park(self, lane: Lane, due: float) -> None:
        """Parks a lane until `due` (Unix seconds)."""
        keys = lane.queue.keys()
        head = lane.head
        progress = [(head.key, pack(head.progress()))] if head else []
        self._drop(lane)
        self.leave(keys)
        self._leaving[lane.key] = (due, lane.failures)
        self._spawn(self._park(lane.key, keys, progress, due, lane.failures))

    async def _park(
        self, lane: str, keys: list[int], progress: list[tuple[int, bytes]], due: float, attempts: int
    ) -> None:
        connection = self._settings.name
        if progress:
            await self._spool.settle([Settlement(connection, progress=progress)])
        await self._spool.park(connection, lane, keys, due, attempts)
        if self._reading:
            self._left.add(lane)
        else:
            self._gone(lane)
            self._then()

    def _gone(self, lane: str) -> None:
        """The lane has left memory. Only now does the spool report when it is due."""
        due, _ = self._leaving.pop(lane)
        self._next_due = min(self._next_due, due)

    def feed_due(self, now: float) -> None:
        """Brings parked lanes back whose time has come, as many as may be in memory; to be called at each turn."""
        self._now = now
        # Nothing is set aside for longer than the cap: what seems to be was, before the clock was set back.
        if now >= self.due_at or now + CAP_SECONDS < self.due_at < inf:
            self._next_due = inf
            self._spawn(self._bring_back(now))

    async def _bring_back(self, now: float) -> None:
        limit = FED_LANES_MAX + len(self._fed)
        keys, next_due = await self._spool.due(self._settings.name, now, limit)
        if not keys and next_due > now + CAP_SECONDS:  # As above.
            keys, next_due = await self._spool.due(self._settings.name, next_due, limit)
        for key in keys:
            if key in self.lanes or key in self._fed or key in self._leaving:
                continue
            if len(self._fed) >= FED_LANES_MAX:
                next_due = now
                break
            self._fed.add(key)
            await self._feed(key)
        self._next_due = min(self._next_due, next_due or inf)
        self._then()

    def drained(self, lane: Lane) -> None:
        """The lane has nothing in memory, and all it did is committed."""
        if lane.key not in self._fed:
            self._drop(lane)
        elif len(self._fed) >= FED_LANES_MAX and self._next_due <= self._now:
            # Others wait for a place: this one had its share, and lines up behind them.
            self._drop(lane)
            self._spawn(self._spool.park(self._settings.name, lane.key, (), self._now, lane.failures))
        else:
            self._spawn(self._refeed(lane.key))

    async def _refeed(self, key: str) -> None:
        await self._feed(key)
        self._then()

    async def _feed(self, key: str) -> None:
        batch = await self._spool.parked(self._settings.name, key, 0, LANE_ROWS_MAX, FED_BYTES_MAX)
        self._note_damage(batch)
        for row in batch.rows:
            self._add(row, batch)
        if not batch.rows and batch.corrupt:
            self._next_due = _AT_ONCE
        if not batch.rows:
            self._fed.discard(key)
            lane = self.lanes.get(key)
            if lane is not None and not len(lane.queue):
                self._drop(lane)

    def leave(self, keys: list[int]) -> None:
        """Rows leave the window: they have their outcome, or stand aside."""
        for key in keys:
            priority, size = self._rows.pop(key, (None, 0))
            if priority is not None:
                self._window[priority].left(1, size)

    def _drop(self, lane: Lane) -> None:
        self._fed.discard(lane.key)
        if self.lanes.get(lane.key) is lane:
            del self.lanes[lane.key]
