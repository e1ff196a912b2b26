"""The counters of the spool: stored beside the rows in the same commits, so that nothing is ever scanned to know them.

Each transaction works on a copy, which takes the place of the last one when the commit has succeeded.
"""

import sqlite3
from collections.abc import Iterable

import msgspec
from msgspec.structs import astuple, replace

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.keys import CONNECTIONS_MAX
from intercomd_daemon.spool.sqlite.seal import seal
from intercomd_daemon.spool.sqlite.soundness import Malformed

LEAP = 1 << 36
"""Positions left out where those given last may be lost: more than a spool gives in years, and room for 4,096 leaps."""
SEQUENCE_LEAP = 1 << 20
"""Sequences left out then: more than a journal loses, and few enough for a search to pass over."""


class Account(msgspec.Struct):
    """What is counted of one connection; the fields are the columns of `connections`."""

    number: int
    name: str
    paused: int = 0
    normal: int = 0
    """Waiting rows, those of parked lanes included."""
    bulk: int = 0
    parked_lanes: int = 0
    dead_letters: int = 0
    bytes: int = 0
    """Of waiting rows and dead letters, overhead included."""

    def changed(self, priority: Priority, rows: int, row_bytes: int) -> None:
        """Counts rows that came to wait, or with negative figures, that went."""
        if priority is Priority.BULK:
            self.bulk += rows
        else:
            self.normal += rows
        self.bytes += row_bytes


class Counters(msgspec.Struct):
    """What is counted of the whole spool; the fields are the columns of `counters`."""

    row: int
    commits: int
    """Commits that succeeded: each writes the page of this row, which so tells how far a write-ahead log goes."""
    position: int
    """The last one given; one counter for all logs."""
    sequence: int
    """The last one given to an outcome."""
    outcomes: int
    contacts: int
    seconds: int
    """Pairs ever written to the ring."""
    damaged: int
    generation: int
    """The younger one of the duplicate window."""
    oldest_generation: int
    """Below `generation` - 1: it is being emptied."""
    generation_ids: int
    """Entered in the younger generation."""
    turned_at: float
    elapsed_seconds: float
    """Since the last turn of the window, while the spool was open."""

    def leap(self) -> None:
        """Leaves out numbers that may have been given without a trace: none is ever given twice."""
        self.position += LEAP
        self.sequence += SEQUENCE_LEAP


class Ledger:
    """The counters, the spool's and each connection's."""

    def __init__(self, counters: Counters, accounts: dict[int, Account]) -> None:
        """`accounts` are by the connections' numbers."""
        self.counters = counters
        self.accounts = accounts
        self._numbers = {account.name: number for number, account in accounts.items()}

    def copy(self) -> "Ledger":
        """One to change without changing this one."""
        return Ledger(replace(self.counters), {number: replace(account) for number, account in self.accounts.items()})

    def account(self, name: str) -> Account:
        """The connection's account, opened if there is none.

        Raises:
            SpoolUnusable: more connections than keys have room for.
        """
        number = self._numbers.get(name)
        if number is None:
            number = len(self.accounts) + 1
            if number > CONNECTIONS_MAX:
                raise SpoolUnusable(f"a spool has room for {CONNECTIONS_MAX} connections, and {name} is one more")
            self._numbers[name] = number
            self.accounts[number] = Account(number, name)
        return self.accounts[number]

    def number(self, name: str) -> int:
        """The connection's number, 0 if it has none yet."""
        return self._numbers.get(name, 0)

    def used(self) -> dict[str, int]:
        """Bytes by connection."""
        return {account.name: account.bytes for account in self.accounts.values()}

    def differs(self, other: "Ledger") -> bool:
        """Whether anything is counted differently."""
        return self.counters != other.counters or self.accounts != other.accounts


_COUNTERS = Counters.__struct_fields__
_ACCOUNT = Account.__struct_fields__
# Columns are named one by one, since a later minor version may have added some.
_LOAD_COUNTERS = f"SELECT {', '.join(_COUNTERS)}, seal FROM counters"  # noqa: S608 - our own field names
_LOAD_ACCOUNTS = f"SELECT {', '.join(_ACCOUNT)}, seal FROM connections"  # noqa: S608 - our own field names
# The key is not set to what it is: SQLite would take the row out and put it in again.
_STORE_COUNTERS = f"UPDATE counters SET {', '.join(name + ' = ?' for name in (*_COUNTERS[1:], 'seal'))} WHERE row = 1"  # noqa: S608 - as above
_STORE_ACCOUNT = (
    f"INSERT INTO connections ({', '.join(_ACCOUNT)}, seal) VALUES ({', '.join('?' * len(_ACCOUNT))}, ?)"  # noqa: S608 - as above
    f" ON CONFLICT (number) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in (*_ACCOUNT, 'seal'))}"
)


def open_ledger(database: sqlite3.Connection, connections: Iterable[str], *, leap: bool = False) -> Ledger:
    """The stored counters, with an account for each of the connections; where some are lost, after a leap.

    Raises:
        Malformed: they are not what was stored.
    """
    stored = load(database)
    ledger = stored.copy()
    for name in connections:
        ledger.account(name)
    if leap:
        ledger.counters.leap()
    if ledger.differs(stored):
        ledger.counters.commits += 1
        database.execute("BEGIN")
        store(database, ledger, stored)
        database.execute("COMMIT")
    return ledger


def load(database: sqlite3.Connection) -> Ledger:
    """The stored counters.

    Raises:
        Malformed: they are not what was stored.
    """
    counters, accounts = database.execute(_LOAD_COUNTERS).fetchall(), database.execute(_LOAD_ACCOUNTS).fetchall()
    if len(counters) != 1 or not all(row[-1] == seal(*row[:-1]) for row in (*counters, *accounts)):
        raise Malformed("the counters are not what was stored")
    return Ledger(Counters(*counters[0][:-1]), {row[0]: Account(*row[:-1]) for row in accounts})


def store(database: sqlite3.Connection, ledger: Ledger, before: Ledger) -> None:
    """Writes what differs from `before`."""
    if ledger.counters != before.counters:
        database.execute(_STORE_COUNTERS, _sealed(ledger.counters)[1:])
    changed = [account for number, account in ledger.accounts.items() if account != before.accounts.get(number)]
    database.executemany(_STORE_ACCOUNT, [_sealed(account) for account in changed])


def _sealed(counted: Counters | Account) -> tuple[object, ...]:
    values = astuple(counted)
    return (*values, seal(*values))
