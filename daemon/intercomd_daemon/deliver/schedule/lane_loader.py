"""Loads lanes from the spool: reads the logs ahead, parks lanes, and loads parked ones when they are due.

Only the spool's I/O is here: `residency.py` decides where each lane's rows are, `read_ahead.py` how far to read. All
changes to what is in memory happen between two awaits.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from math import inf
from typing import Any
from weakref import WeakValueDictionary

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import (
    LATE_WRITES_SECONDS,
    Contact,
    LateWrites,
    UnavailableContacts,
)
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.deliver.schedule.connection_monitor import Observer
from intercomd_daemon.deliver.schedule.pacing import RETRY_SECONDS_MAX
from intercomd_daemon.deliver.schedule.read_ahead import BYTES_MAX, LANE_ROWS_MAX, READ_ROWS, ReadAhead
from intercomd_daemon.deliver.schedule.ready_queue import ReadyQueue
from intercomd_daemon.deliver.schedule.residency import LOADED_LANES_MAX, Loaded, NextDue, Residency
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import Outcome, Progress
from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.record import RecordDamaged, decode, pack
from intercomd_daemon.spool.rows import Row, RowPage, Settlement

READ_BYTES_MAX = 1024 * 1024
# Of one parked lane in memory, but at least one envelope.
LOADED_BYTES_MAX = BYTES_MAX // 16

# Rows left out of what is read. Only reads in progress can still return them, so the newest suffice.
LEFT_OUT_MAX = 1_000

_NO_PROGRESS = Progress()

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class LaneLoader:
    """Loads the lanes of one connection.

    A lane comes into memory and leaves it in these cases:

    1. `start_next_read`: while the window has room, the next page of a log is read. Its rows queue in their lanes.
    2. `refill_or_remove`: a lane without rows leaves memory.
    3. `park`: a lane whose calls fail, or that keeps others from being read, is parked until a time.
    4. `load_due`: parked lanes whose time has come are loaded, as long as LOADED_LANES_MAX allows.
    5. A lane with more than LANE_ROWS_MAX rows is parked as well, due at once, and its first page stays in memory.

    In cases 4 and 5 the next page is loaded when the lane is drained. When the table holds no more of its rows, the
    spool returns its further rows from the log again.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        spool: Outflow,
        catalog: AttributeCatalog,
        ready_queue: ReadyQueue,
        observer: Observer,
        spawn: Spawn,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called when lanes have become ready, or the next due time has become known."""
        self.residency = Residency()
        self._connection = settings.name
        self._settings = settings
        self._spool = spool
        self._catalog = catalog
        self._ready_queue = ready_queue
        self._observer = observer
        self._spawn = spawn
        self._on_change = on_change
        self._read_ahead = ReadAhead()
        self._next_due = NextDue()
        self._now = 0.0
        """The time of the last turn, Unix seconds."""
        self._unavailable = UnavailableContacts()
        self._contacts: WeakValueDictionary[str, Contact] = WeakValueDictionary()
        """The contacts of the lanes in memory by Intercom's id, so that lanes of one person share what is known."""
        self._late_writes = LateWrites()
        self._left_out: dict[int, None] = {}
        """Rows that are not loaded, see `leave_out`; the oldest first."""
        self._damaged: list[str] = []
        """Descriptions of damaged rows, not reported yet."""
        self._damaged_outcomes: list[Outcome] = []

    def expect_late_writes(self) -> None:
        """Notes that the previous owner did not release the workspace: for 60 s its last writes may still arrive."""
        self._late_writes.expected = True
        asyncio.get_running_loop().call_later(LATE_WRITES_SECONDS, self._end_late_writes)

    def _end_late_writes(self) -> None:
        self._late_writes.expected = False

    @property
    def rows(self) -> int:
        """Rows read ahead."""
        return self._read_ahead.rows

    @property
    def full(self) -> bool:
        """Whether rows in memory keep others from being read."""
        return self._read_ahead.full

    def mark_appended(self, priority: Priority) -> None:
        """Notes that rows were appended to a log."""
        self._read_ahead.mark_appended(priority)

    # Case 1: reading the logs ahead.

    def start_next_read(self) -> None:
        """Starts to read the next page of a log, unless a read is in progress or the window is full."""
        started = self._read_ahead.start_read()
        if started is not None:
            self._spawn(self._read(*started))

    async def _read(self, priority: Priority, after: int) -> None:
        page = await self._spool.read(self._connection, priority, after, READ_ROWS, READ_BYTES_MAX)
        rows = self._rows_to_load(page)
        self._read_ahead.end_read(priority, ((row.key, len(row.data)) for row in rows), page.after)
        # Rows of a parked lane follow its earlier rows to the table. `_add` may park a lane in the middle of the page.
        parked: dict[str, list[int]] = {}
        for row in rows:
            if self.residency.is_parked(row.lane):
                parked.setdefault(row.lane, []).append(row.key)
            else:
                self._add(row, page)
        for key, keys in parked.items():
            self._park_rows(key, keys)
        if priority is Priority.NORMAL:
            # Of these lanes normal rows are in the table now, which go before the bulk rows in memory.
            for key in page.moved | parked.keys():
                self._drop_bulk_rows(key)
        self._next_due.add_due_times(self.residency.end_read())
        self._report_changes()

    def leave_out(self, key: int) -> None:
        """Leaves a row out of what is read from now on, because another commit is completing it."""
        self._left_out[key] = None
        if len(self._left_out) > LEFT_OUT_MAX:
            del self._left_out[next(iter(self._left_out))]

    def undo_leave_out(self, key: int) -> None:
        """Loads a row again that was left out, because the other commit did not complete it."""
        self._left_out.pop(key, None)

    def query_due(self) -> None:
        """Queries the spool for parked lanes that are due, because the due time of one has changed."""
        self._next_due.invalidate()
        self._report_changes()

    def _rows_to_load(self, page: RowPage) -> list[Row]:
        """Returns the rows to load, and notes the damaged ones."""
        self._damaged += page.corrupt
        self._damaged_outcomes += page.outcomes
        return [row for row in page.rows if row.key not in self._left_out] if self._left_out else page.rows

    def _park_rows(self, key: str, rows: list[int]) -> None:
        """Parks rows just read from the log, because their lane is parked: they stay behind its earlier rows."""
        due, failures = self.residency.parked_as(key)
        self.remove_rows(rows)
        self._spawn(self._spool.park(self._connection, key, rows, due, failures))
        # If the table held no other row of the lane, its due time is not known yet.
        self._next_due.invalidate()

    def _drop_bulk_rows(self, key: str) -> None:
        """Removes the bulk rows of a loaded lane from memory: normal rows in the table go first.

        A lane that is ready is loaded anew at once, others at their next turn, when they are found to be drained.
        """
        state = self.residency.state(key)
        if not isinstance(state, Loaded):
            return
        lane = state.lane
        if lane.queue.yield_to_normal() and not len(lane.queue) and self._ready_queue.leave(lane):
            self._spawn(self._load_next(key))

    def _add(self, row: Row, page: RowPage) -> None:
        """Queues a row in its lane, which comes into memory with its first row."""
        lane = self.residency.lane(row.lane)
        if lane is None:
            cached = page.contacts.get(row.lane)
            # Another lane of the same person may be in memory: both share what is known of the contact.
            contact = self._contacts.get(cached.contact_id) if cached and cached.contact_id else None
            if contact is None:
                contact_id, data = (cached.contact_id, cached.data) if cached else ("", b"")
                contact = Contact(contact_id, data, self._late_writes)
                if contact.id:
                    self._contacts[contact.id] = contact
            lane = Lane(row.lane, contact, self._settings, self._catalog, self._unavailable, page.attempts)
            self.residency.add(lane)
        try:
            # The engine has verified the checksum.
            envelope = decode(row.data, AcceptedEnvelope)
            progress = decode(row.progress, Progress) if row.progress else _NO_PROGRESS
        except RecordDamaged as damage:
            # Another release wrote this record. It stays in the spool: that release can deliver it.
            self._damaged.append(f"row {row.key}, left where it is: {damage}")
            self.remove_rows([row.key])
            return
        lane.queue.add(PendingEnvelope(row.key, row.priority, envelope, progress))
        self._ready_queue.ready(lane)
        if len(lane.queue) > LANE_ROWS_MAX and not self.residency.is_parked(lane.key):
            self._overflow(lane)

    def share_contact(self, lane: Lane) -> None:
        """Lets lanes that turned out to be the same person share one `Contact`.

        Call it when a response has changed the id, and before each turn: another lane may have changed it meanwhile.
        """
        contact = lane.contact
        if not contact.id:
            return
        other = self._contacts.get(contact.id)
        if other is None or other.id != contact.id:
            # No other lane has this contact, or one had it and has another one by now.
            self._contacts[contact.id] = contact
        elif other is not contact:
            lane.share_contact(other)

    # Case 2: lanes without rows in memory.

    def refill_or_remove(self, lane: Lane) -> None:
        """Loads the next page of a lane that has no row in memory and nothing in progress, or removes the lane."""
        if not isinstance(self.residency.state(lane.key), Loaded):
            self.residency.remove(lane)
        elif self.residency.full and self._next_due.reached(self._now):
            # Other parked lanes wait for a place in memory: this one gives up its place and lines up behind them.
            self.residency.remove(lane)
            self._spawn(self._spool.park(self._connection, lane.key, (), self._now, lane.failures))
        else:
            self._spawn(self._load_next(lane.key))

    def remove_rows(self, keys: Iterable[int]) -> None:
        """Removes rows from the window: they are settled, or parked."""
        self._read_ahead.remove(keys)

    # Case 3: parking.

    def park(self, lane: Lane, due: float) -> None:
        """Parks a lane until `due` (Unix seconds)."""
        keys, head = lane.queue.keys(), lane.queue.head
        progress = [(head.key, pack(head.progress()))] if head else []
        self.residency.park(lane, due)
        self.remove_rows(keys)
        self._spawn(self._park(lane.key, keys, progress, due, lane.failures))

    async def _park(
        self, key: str, rows: list[int], progress: list[tuple[int, bytes]], due: float, failures: int
    ) -> None:
        if progress:
            await self._spool.settle([Settlement(self._connection, progress=progress)])
        await self._spool.park(self._connection, key, rows, due, failures)
        # The due time counts only after this commit: an earlier query would have missed the lane.
        dues = self.residency.confirm_parked(key, reading=self._read_ahead.reading)
        if dues:
            self._next_due.add_due_times(dues)
            self._report_changes()

    # Case 4: loading what is parked and due.

    def seconds_until_due(self, now: float) -> float:
        """Returns how long until a parked lane may be loaded; infinite if none is known to be parked, or none may."""
        return inf if self.residency.full else self._next_due.seconds_left(now)

    def load_due(self, now: float) -> None:
        """Starts to load the parked lanes that are due; to be called at each turn (`now`: Unix seconds)."""
        self._now = now
        if not self.residency.full and self._next_due.should_query(now):
            self._next_due.start_query()
            self._spawn(self._load_due(now))

    async def _load_due(self, now: float) -> None:
        # Lanes that are loaded already may be among the first.
        lanes_max = LOADED_LANES_MAX + self.residency.loaded
        keys, next_due = await self._spool.due(self._connection, now, lanes_max)
        if not keys and next_due > now + RETRY_SECONDS_MAX:
            # Parked before the clock was set back, see `NextDue.should_query`.
            keys, next_due = await self._spool.due(self._connection, next_due, lanes_max)
        for key in keys:
            if self.residency.state(key) is not None:
                continue
            if self.residency.full:
                next_due = now
                break
            self.residency.start_loading(key)
            await self._load(key)
        self._next_due.add_due_times([next_due] if next_due else [])
        self._report_changes()

    async def _load_next(self, key: str) -> None:
        await self._load(key)
        self._report_changes()

    async def _load(self, key: str) -> None:
        """Loads a page of a parked lane, which has no row in memory."""
        page = await self._spool.parked(self._connection, key, 0, LANE_ROWS_MAX, LOADED_BYTES_MAX)
        rows = self._rows_to_load(page)
        for row in rows:
            self._add(row, page)
        lane = self.residency.lane(key)
        if page.rows and not rows:
            # The page was read before the commit that completes its rows. The next read comes after that commit.
            await self._load(key)
        elif rows and lane is not None and lane.queue.head is None:
            # This release can read no row of the page. The lane must not keep a place in memory, and its later rows
            # must not wait for a restart.
            self.park(lane, self._now + RETRY_SECONDS_MAX)
        elif not page.rows:
            self.residency.end_loading(key)
            if page.corrupt:
                # All rows of the page were damaged. There may be more in the table.
                self._next_due.invalidate()

    # Case 5: a lane with more rows than its share of the window.

    def _overflow(self, lane: Lane) -> None:
        """Parks a lane but for its first page. Rows of parked lanes do not count to the window."""
        if self.residency.full and self._ready_queue.leave(lane):
            # No place for another loaded lane: the whole lane waits for one in the spool.
            self.park(lane, self._now)
            return
        keys = lane.queue.keys()
        self.residency.overflow(lane)
        lane.queue.truncate(LANE_ROWS_MAX)
        self.remove_rows(keys)
        self._spawn(self._spool.park(self._connection, lane.key, keys, 0.0, 0))

    def _report_changes(self) -> None:
        """Reports damage, and lets the worker go on with what is in memory now."""
        if self._damaged:
            self._observer.on_notice(self._connection, "rows_damaged", rows=self._damaged)
            self._damaged = []
        if self._damaged_outcomes:
            self._observer.on_outcomes(self._damaged_outcomes)
            self._damaged_outcomes = []
        self._on_change()
