"""The logs: appends rows at their ends and reads them in order.

An append touches no random page: rows go to the end of their log, and time-ordered ids to the end of the duplicate
window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.keys import connection_of, log_end, log_start
from intercomd_daemon.spool.quota import weigh
from intercomd_daemon.spool.rows import Incoming, RowPage
from intercomd_daemon.spool.sqlite import claimed_seconds, contact_cache, duplicate_window, fingerprints, parked_lanes
from intercomd_daemon.spool.sqlite import forwarded as forwarded_table
from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt
from intercomd_daemon.spool.sqlite.counters import Counters
from intercomd_daemon.spool.sqlite.transaction import Blob, Transaction, placeholders
from intercomd_daemon.spool.sqlite.waiting_rows import Page, columns_of, read_page

MOVED_MAX = 2_048
"""Rows that one read moves to their parked lanes while it meets no others: a commit of some tens of milliseconds.

Behind a parked lane of 100,000 rows, other lanes wait until all of these have moved. A commit for every page would
take twice as long."""

Admit = Callable[[Counters, dict[str, int], int], None]
"""Raises SpoolFull if there is no room for these bytes by connection, of that many rows."""


@dataclass(frozen=True)
class Append:
    """The operation that appends the rows of one request."""

    rows: Sequence[Incoming]
    admit: Admit
    forwarded: Forwarded | None = None
    """What is stored of a request that an agent forwarded."""

    def __call__(self, transaction: Transaction) -> list[int]:
        """Appends by itself; see `append`."""
        keys = append(transaction, self.rows, self.admit) if self.rows else []
        self.keep(transaction, keys)
        return keys

    def keep(self, transaction: Transaction, keys: list[int]) -> None:
        """Stores the results of a forwarded request, whose rows have these keys."""
        if self.forwarded is not None:
            forwarded_table.save(transaction, self.forwarded, keys)


def append_together(transaction: Transaction, appends: Sequence[Append]) -> list[list[int] | RetryLater]:
    """Appends several requests in as few statements as one; if they do not all fit, each by itself."""
    rows = [row for each in appends for row in each.rows]
    try:
        keys = iter(append(transaction, rows, appends[0].admit) if rows else ())
    except RetryLater as refusal:
        if len(appends) == 1:
            return [refusal]
        return [result for each in appends for result in append_together(transaction, [each])]
    found = [list(islice(keys, len(each.rows))) for each in appends]
    for each, own in zip(appends, found, strict=True):
        each.keep(transaction, own)
    return [*found]


def append(transaction: Transaction, rows: Sequence[Incoming], admit: Admit) -> list[int]:
    """Appends the rows that the duplicate window does not know; returns the keys, 0 for a duplicate."""
    counters = transaction.counters
    sizes = weigh(rows)
    admit(counters, sizes, len(rows))
    # Every row takes the next position, duplicates too: the window stores the key beside the id, before it is known
    # which ids are duplicates.
    logs = [(row.connection, row.priority) for row in rows]
    position = counters.spool.position
    counters.spool.position += len(rows)
    starts = {log: log_start(counters.connection(log[0]).number, log[1]) + position for log in set(logs)}
    keys = [starts[log] + place for place, log in enumerate(logs, 1)]
    new = list(zip(keys, [duplicate_window.pack_id(row.envelope_id) for row in rows], rows, strict=True))
    duplicates = duplicate_window.add(
        transaction, [(connection_of(key), packed_id, key) for key, packed_id, row in new if row.recognised]
    )
    if duplicates:
        new = [each for each in new if each[0] not in duplicates]
        rows = [row for _, _, row in new]
        logs, sizes = [(row.connection, row.priority) for row in rows], weigh(rows)
    now = transaction.now
    transaction.insert(
        _insert_statement,
        [
            (key, row.lane, packed_id, now, Blob(row.data), row_checksum(key, row.lane, packed_id, now))
            for key, packed_id, row in new
        ],
    )
    fingerprints.add(transaction, [(key, row.lane, row.email, row.envelope_id) for key, _, row in new])
    claimed_seconds.remember(transaction, [pair for row in rows for pair in row.seconds])
    for log in set(logs):
        counters.connection(log[0]).count(log[1], logs.count(log), 0)
        transaction.grown.add(log)
    for connection, size in sizes.items():
        counters.connection(connection).bytes += size
    return [0 if key in duplicates else key for key in keys] if duplicates else keys


@cache
def _insert_statement(rows: int) -> str:
    return f"INSERT INTO log (key, lane, envelope_id, accept_time, data, seal) VALUES {placeholders(6, rows)}"  # noqa: S608 - placeholders


def read(
    transaction: Transaction, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int
) -> RowPage:
    """Reads the next page of a log; rows of parked lanes move to their lane and are not returned.

    Raises:
        SpoolCorrupt: the log is not what was written.
    """
    number = transaction.counters.connection(connection).number
    moved: dict[int, str] = {}
    while True:
        page = _read_page(transaction, number, priority, after, rows_max, bytes_max)
        parked_lanes.move(transaction, number, list(page.parked))
        moved |= page.parked
        # A page of parked lanes alone gives the reader nothing: read on, within one commit's worth of moves.
        if page.rows or page.corrupt or not page.parked or len(moved) >= MOVED_MAX:
            break
        after = page.after
    return RowPage(
        page.rows,
        contacts=contact_cache.read_entries(transaction, number, {row.lane for row in page.rows}),
        after=page.after,
        corrupt=tuple(page.corrupt),
        outcomes=tuple(page.outcomes),
        moved=frozenset(moved.values()),
    )


def _read_page(
    transaction: Transaction, number: int, priority: Priority, after: int, rows_max: int, bytes_max: int
) -> Page:
    start, end = max(after, log_start(number, priority)), log_end(number, priority)
    cursor = transaction.database.execute(
        f"SELECT {columns_of('log')}, lanes.due IS NOT NULL FROM log"  # noqa: S608 - our own columns
        " LEFT JOIN progress ON progress.key = log.key"
        " LEFT JOIN lanes ON lanes.connection = ? AND lanes.lane = log.lane"
        " WHERE log.key > ? AND log.key < ? ORDER BY log.key LIMIT ?",
        (number, start, end, rows_max),
    )
    page = read_page(transaction, "log", cursor, after, bytes_max)
    # An empty page at a log that has a last row: the tree is broken between the two. Looked up from above, the last
    # row is reached by other pages of the tree than the first.
    if page.after <= start:
        last = transaction.database.execute("SELECT key FROM log WHERE key < ? ORDER BY key DESC LIMIT 1", (end,))
        row = last.fetchone()
        if row and row[0] > start:
            raise SpoolCorrupt("the log ends before its last row")
    return page
