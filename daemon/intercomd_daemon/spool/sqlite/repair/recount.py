"""The counters of a rebuilt spool, counted from its rows; and which lanes are parked, told by the rows that lie there.

What was counted before is used where it cannot be counted: names, pauses, and numbers that must not be given twice.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import POSITION_BITS
from intercomd_daemon.spool.keys import CONNECTION_BITS
from intercomd_daemon.spool.quota import ROW_OVERHEAD_BYTES
from intercomd_daemon.spool.sqlite import layout, ledger
from intercomd_daemon.spool.sqlite.ledger import Account, Counters, Ledger
from intercomd_daemon.spool.sqlite.repair.findings import Contents
from intercomd_daemon.spool.sqlite.repair.tables import COUNTERS, Row, Table

_POSITION = (1 << POSITION_BITS) - 1
_NOTHING = dict.fromkeys(("normal", "bulk", "parked_lanes", "dead_letters", "bytes"), 0)


@dataclass
class Remembered:
    """What the old counters say."""

    counters: Counters | None = None
    accounts: dict[int, Account] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """Of connections, by their number, from wherever else they stand."""

    def enter(self, table: Table, row: Row) -> None:
        """Takes a sound row of the counters, or of the connections; of several the first, or the furthest."""
        values: Any = row[:-1]
        if table is COUNTERS:
            counters = Counters(*values)
            self.counters = max(self.counters or counters, counters, key=lambda each: each.position)
        else:
            account = Account(*values)
            self.accounts.setdefault(account.number, account)

    def update(self, newer: "Remembered") -> None:
        """Lets what was found elsewhere take the place of what is here."""
        self.counters = newer.counters or self.counters
        self.accounts |= newer.accounts


def recount(new: sqlite3.Connection, remembered: Remembered, now: float) -> Contents:
    """Writes the counters and the parked lanes of a database whose rows are all there; returns what it holds."""
    new.execute(
        "INSERT INTO lanes (connection, lane, due, attempts, oldest)"
        " SELECT connection, lane, 0.0, 0, min(accept_time) FROM parked GROUP BY connection, lane"
    )
    new.execute("DELETE FROM progress WHERE key NOT IN (SELECT key FROM log UNION ALL SELECT key FROM parked)")
    new.execute("DELETE FROM contacts WHERE number NOT IN (SELECT contact FROM identities)")
    counters, fresh = _counters(new, remembered.counters, now), ledger.load(new)
    accounts = _accounts(new, remembered)
    ledger.store(new, Ledger(counters, accounts), Ledger(fresh.counters, {}))
    waiting, counted = (
        sum(account.normal + account.bulk for account in each.values()) for each in (accounts, remembered.accounts)
    )
    letters = sum(account.dead_letters for account in accounts.values())
    return Contents(waiting, max(0, counted - waiting), letters, counters.outcomes)


def _number(new: sqlite3.Connection, statement: str) -> int:
    """The number that a statement gives; 0 for none."""
    return int(new.execute(statement).fetchone()[0] or 0)


def _counters(new: sqlite3.Connection, known: Counters | None, now: float) -> Counters:
    places = (("key", "log"), ("key", "parked"), ("origin", "dead_letters"), *(("key", name) for name in layout.RECENT))
    position = max(_number(new, f"SELECT max({column} & {_POSITION}) FROM {table}") for column, table in places)  # noqa: S608 - our own names
    sequence = max(_number(new, "SELECT max(sequence) FROM journal"), _number(new, "SELECT max(id) FROM dead_letters"))
    if known is None:
        known = replace(ledger.load(new).counters, turned_at=now, position=position, sequence=sequence)
        known.leap()
    return replace(
        known,
        position=max(position, known.position),
        sequence=max(sequence, known.sequence),
        outcomes=_number(new, "SELECT count(*) FROM journal"),
        contacts=_number(new, "SELECT count(*) FROM contacts"),
        seconds=max(known.seconds, _number(new, "SELECT max(last) FROM seconds")),
        damaged=0,
        generation_ids=_remember_ids(new, known),
    )


def _remember_ids(new: sqlite3.Connection, counters: Counters) -> int:
    """Enters the ids of what waits, known in any case, in the younger generation; returns how many ids that has."""
    young = layout.RECENT[counters.generation % layout.GENERATIONS]
    for table in ("log", "parked"):
        new.execute(
            f"INSERT OR IGNORE INTO {young} (connection, envelope_id, key)"  # noqa: S608 - our own names
            f" SELECT key >> {CONNECTION_BITS}, envelope_id, key FROM {table}"
        )
    return _number(new, f"SELECT count(*) FROM {young}")  # noqa: S608 - our own names


def _accounts(new: sqlite3.Connection, remembered: Remembered) -> dict[int, Account]:
    accounts = {number: replace(account, **_NOTHING) for number, account in remembered.accounts.items()}
    waiting = (
        f"SELECT key >> {CONNECTION_BITS} AS number, key >> {POSITION_BITS} & 1 AS bulk, length(data) AS size FROM"  # noqa: S608 - our own names
        " (SELECT key, data FROM log UNION ALL SELECT key, data FROM parked)"
    )
    counts = (
        f"SELECT number, sum(1 - bulk), sum(bulk), 0, 0, sum(size) FROM ({waiting}) GROUP BY number",  # noqa: S608 - the one above
        "SELECT connection, 0, 0, count(*), 0, 0 FROM lanes GROUP BY connection",
        "SELECT connection, 0, 0, 0, count(*), sum(length(data)) FROM dead_letters GROUP BY connection",
    )
    for number, normal, bulk, lanes, letters, size in [row for count in counts for row in new.execute(count)]:
        account = accounts.setdefault(number, Account(number, ""))
        account.normal += normal
        account.bulk += bulk
        account.parked_lanes += lanes
        account.dead_letters += letters
        account.bytes += size + (normal + bulk + letters) * ROW_OVERHEAD_BYTES
    for number in range(1, max([*accounts, *remembered.names], default=0) + 1):
        account = accounts.setdefault(number, Account(number, ""))
        account.name = account.name or remembered.names.get(number) or _name(new, number)
    return accounts


def _name(new: sqlite3.Connection, number: int) -> str:
    """A connection's name by one of its outcomes or letters.

    Else one that no settings have, so that nothing of it goes where it does not belong.
    """
    found = new.execute("SELECT data FROM journal WHERE connection = ? LIMIT 1", (number,)).fetchone()
    if found:
        return record.unpack(found[0], Outcome).connection
    found = new.execute("SELECT data FROM dead_letters WHERE connection = ? LIMIT 1", (number,)).fetchone()
    return record.unpack(found[0], DeadLetter).outcome.connection if found else f"?{number}"
