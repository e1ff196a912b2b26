"""The logs: appending at their ends, reading on in order.

Nothing here touches a random page: rows go to the end of their log and ids to the duplicate window. Whether there is
room is asked of whoever calls.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.spool.base import Batch, Incoming
from intercomd_daemon.spool.keys import connection_of, log_end, log_start
from intercomd_daemon.spool.quota import weigh
from intercomd_daemon.spool.sqlite import book, bulk, lanes, seconds, window
from intercomd_daemon.spool.sqlite.ledger import Ledger
from intercomd_daemon.spool.sqlite.rows import Stretch, read_stretch, row_columns
from intercomd_daemon.spool.sqlite.seal import seal
from intercomd_daemon.spool.sqlite.soundness import Malformed
from intercomd_daemon.spool.sqlite.transaction import Transaction

MOVED_MAX = 2_048
"""Rows of parked lanes that one read passes over while it meets no others: a commit of some tens of milliseconds.

Others wait behind a lane of a hundred thousand rows until all of these have moved, and a commit for each few takes
twice as long."""

Admission = Callable[[Ledger, dict[str, int]], None]
"""Raises SpoolFull if there is no room for so many bytes by connection."""


@dataclass(frozen=True)
class Append:
    """The operation that appends the rows of one request."""

    rows: Sequence[Incoming]
    admit: Admission

    def __call__(self, transaction: Transaction) -> list[int]:
        """By itself; see `append`."""
        return append(transaction, self.rows, self.admit)


def append_together(transaction: Transaction, appends: Sequence[Append]) -> list[list[int] | RetryLater]:
    """Appends several requests in as few statements as one; where there is no room for all, each by itself."""
    try:
        keys = iter(append(transaction, [row for each in appends for row in each.rows], appends[0].admit))
    except RetryLater as refusal:
        if len(appends) == 1:
            return [refusal]
        return [answer for each in appends for answer in append_together(transaction, [each])]
    return [list(islice(keys, len(each.rows))) for each in appends]


def append(transaction: Transaction, rows: Sequence[Incoming], admit: Admission) -> list[int]:
    """Appends what is not known to the duplicate window; returns the keys, 0 for a duplicate."""
    ledger = transaction.ledger
    sizes = weigh(rows)
    admit(ledger, sizes)
    logs = [(row.connection, row.priority) for row in rows]
    position = ledger.counters.position
    ledger.counters.position += len(rows)
    starts = {log: log_start(ledger.account(log[0]).number, log[1]) + position for log in set(logs)}
    keys = [starts[log] + place for place, log in enumerate(logs, 1)]
    new = list(zip(keys, [window.id_of(row.envelope_id) for row in rows], rows, strict=True))
    duplicates = window.enter(
        transaction, [(connection_of(key), name, key) for key, name, row in new if row.recognised]
    )
    if duplicates:
        new = [each for each in new if each[0] not in duplicates]
        rows = [row for _, _, row in new]
        logs, sizes = [(row.connection, row.priority) for row in rows], weigh(rows)
    _write(transaction, new)
    for log in set(logs):
        ledger.account(log[0]).changed(log[1], logs.count(log), 0)
        transaction.grown.add(log)
    for connection, size in sizes.items():
        ledger.account(connection).bytes += size
    return [0 if key in duplicates else key for key in keys] if duplicates else keys


def _write(transaction: Transaction, new: Sequence[tuple[int, str | bytes, Incoming]]) -> None:
    now = transaction.now
    bulk.insert(
        transaction.database,
        _insertion,
        [(key, row.lane, name, now, row.data, seal(key, row.lane, name, now)) for key, name, row in new],
    )
    seconds.remember(transaction, [pair for _, _, row in new for pair in row.seconds])


@cache
def _insertion(rows: int) -> str:
    return f"INSERT INTO log (key, lane, envelope_id, accept_time, data, seal) VALUES {bulk.places(6, rows)}"  # noqa: S608 - places


def read(
    transaction: Transaction, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int
) -> Batch:
    """Reads on in a log; rows of parked lanes move to their lane and are not returned.

    Raises:
        Malformed: the log is not what was written.
    """
    number = transaction.ledger.account(connection).number
    moved: dict[int, str] = {}
    while True:
        stretch = _stretch(transaction, number, priority, after, rows_max, bytes_max)
        lanes.move(transaction, number, list(stretch.parked))
        moved |= stretch.parked
        if stretch.rows or stretch.damaged or not stretch.parked or len(moved) >= MOVED_MAX:
            break
        after = stretch.after
    return Batch(
        stretch.rows,
        known=book.known(transaction, number, {row.lane for row in stretch.rows}),
        after=stretch.after,
        damaged=tuple(stretch.damaged),
        ended=tuple(stretch.ended),
        moved=frozenset(moved.values()),
    )


def _stretch(
    transaction: Transaction, number: int, priority: Priority, after: int, rows_max: int, bytes_max: int
) -> Stretch:
    start, end = max(after, log_start(number, priority)), log_end(number, priority)
    found = transaction.database.execute(
        f"SELECT {row_columns('log')}, lanes.due IS NOT NULL FROM log"  # noqa: S608 - our own columns
        " LEFT JOIN progress ON progress.key = log.key"
        " LEFT JOIN lanes ON lanes.connection = ? AND lanes.lane = log.lane"
        " WHERE log.key > ? AND log.key < ? ORDER BY log.key LIMIT ?",
        (number, start, end, rows_max),
    )
    stretch = read_stretch(transaction, "log", found, after, bytes_max)
    if stretch.after <= start and _last(transaction, end) > start:
        raise Malformed("the log ends before its last row")
    return stretch


def _last(transaction: Transaction, end: int) -> int:
    """The last key below `end`; 0 if there is none. Sought from above, it does not rest on what a stretch rests on."""
    found = transaction.database.execute("SELECT key FROM log WHERE key < ? ORDER BY key DESC LIMIT 1", (end,))
    row = found.fetchone()
    return row[0] if row else 0
