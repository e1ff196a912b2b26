"""The logs: appending at their ends, reading on in order.

Nothing here touches a random page: rows go to the end of their log and ids to the duplicate window. Whether there is
room is asked of whoever calls.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import Batch, Incoming
from intercomd_daemon.spool.keys import connection_of, log_end, log_start
from intercomd_daemon.spool.quota import weigh
from intercomd_daemon.spool.sqlite import book, lanes, seconds, window
from intercomd_daemon.spool.sqlite.ledger import Ledger
from intercomd_daemon.spool.sqlite.rows import read_stretch
from intercomd_daemon.spool.sqlite.transaction import Transaction

Admission = Callable[[Ledger, dict[str, int]], None]
"""Raises SpoolFull if there is no room for so many bytes by connection."""


def append(transaction: Transaction, rows: Sequence[Incoming], admit: Admission) -> list[int]:
    """Appends what is not known to the duplicate window; returns the keys, 0 for a duplicate."""
    ledger = transaction.ledger
    admit(ledger, weigh(rows))
    logs = {(row.connection, row.priority) for row in rows}
    starts = {log: log_start(ledger.account(log[0]).number, log[1]) + ledger.counters.position for log in logs}
    keys = [starts[row.connection, row.priority] + place for place, row in enumerate(rows, 1)]
    ledger.counters.position += len(rows)
    new = list(zip(keys, [window.id_of(row.envelope_id) for row in rows], rows, strict=True))
    duplicates = window.enter(
        transaction, [(connection_of(key), name, key) for key, name, row in new if row.recognised]
    )
    if duplicates:
        new = [each for each in new if each[0] not in duplicates]
    _write(transaction, new)
    return [0 if key in duplicates else key for key in keys] if duplicates else keys


def _write(transaction: Transaction, new: Sequence[tuple[int, str | bytes, Incoming]]) -> None:
    now = transaction.now
    transaction.database.executemany(
        "INSERT INTO log (key, lane, envelope_id, accept_time, data) VALUES (?, ?, ?, ?, ?)",
        [(key, row.lane, name, now, row.data) for key, name, row in new],
    )
    rows = [row for _, _, row in new]
    for (connection, priority), appended in Counter((row.connection, row.priority) for row in rows).items():
        transaction.ledger.account(connection).changed(priority, appended, 0)
        transaction.grown.add((connection, priority))
    for connection, size in weigh(rows).items():
        transaction.ledger.account(connection).bytes += size
    seconds.remember(transaction, [pair for row in rows if row.seconds for pair in row.seconds])


def read(
    transaction: Transaction, connection: str, priority: Priority, after: int, rows_max: int, bytes_max: int
) -> Batch:
    """Reads on in a log; rows of parked lanes move to their lane and are not returned."""
    number = transaction.ledger.account(connection).number
    found = transaction.database.execute(
        "SELECT log.key, log.lane, log.data, progress.data, lanes.due IS NOT NULL FROM log"
        " LEFT JOIN progress ON progress.key = log.key"
        " LEFT JOIN lanes ON lanes.connection = ? AND lanes.lane = log.lane"
        " WHERE log.key > ? AND log.key < ? ORDER BY log.key LIMIT ?",
        (number, max(after, log_start(number, priority)), log_end(number, priority), rows_max),
    )
    stretch = read_stretch(transaction, "log", found, after, bytes_max)
    lanes.move(transaction, number, stretch.parked)
    known = book.known(transaction, number, {row.lane for row in stretch.rows})
    return Batch(stretch.rows, known, stretch.after, damaged=tuple(stretch.damaged))
