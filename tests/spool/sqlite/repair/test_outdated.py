import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import DeadLetter, Outcome, OutcomeType
from intercomd_daemon.spool import record
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.repair.outdated import drop_outdated

NOON = 1_750_000_000.0


class Rebuilt:
    """A database into which rows come from wherever they were found."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def row(self, position: int, name: str, *, table: str = "log", replay: int = 0, connection: int = 1) -> None:
        data = record.pack(_envelope(name, replay))
        key = log_start(connection, Priority.NORMAL) + position
        values = (key, *((connection,) if table == "parked" else ()), "c:ann", name, NOON, data, 0)
        self.database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608 - ours

    def outcome(self, sequence: int, name: str, kind: OutcomeType, *, replay: int = 0, connection: int = 1) -> None:
        data = record.pack(_outcome(name, kind, replay))
        values = (sequence, connection, name, "ann", "", int(kind), data)
        self.database.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def letter(self, number: int, name: str, *, replay: int = 0, connection: int = 1) -> None:
        letter = DeadLetter(number, _envelope(name, replay), _outcome(name, OutcomeType.DEAD_LETTERED, replay), "")
        values = (number, connection, 1, number, name, "ann", "", "REFUSED", NOON, record.pack(letter), 0)
        self.database.execute("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def left(self) -> dict[str, list[int]]:
        """The positions and numbers that stay, by table."""
        drop_outdated(self.database)
        columns = {"log": "key & 0xffff", "parked": "key & 0xffff", "journal": "sequence", "dead_letters": "id"}
        statements = {name: f"SELECT {column} FROM {name} ORDER BY 1" for name, column in columns.items()}  # noqa: S608 - ours
        return {
            name: [number for (number,) in found]
            for name, statement in statements.items()
            if (found := self.database.execute(statement).fetchall())
        }


def _envelope(name: str, replay: int) -> AcceptedEnvelope:
    return replace(AcceptedEnvelope(name, "ann", "", NOON, (), (), "", b""), replay=replay)


def _outcome(name: str, kind: OutcomeType, replay: int) -> Outcome:
    return Outcome(name, "eu", "ann", "", kind, "", NOON, NOON, (), (), replay)


@pytest.fixture
def rebuilt() -> Iterator[Rebuilt]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        schema.create(database, NOON)
        yield Rebuilt(database)


@pytest.mark.parametrize("table", ["log", "parked"])
def test_row_with_an_outcome_is_dropped(rebuilt: Rebuilt, table: str) -> None:
    rebuilt.row(1, "ended", table=table)
    rebuilt.row(2, "waits", table=table)
    rebuilt.outcome(1, "ended", OutcomeType.DELIVERED)
    assert rebuilt.left() == {table: [2], "journal": [1]}


def test_parked_row_is_dropped_from_the_log(rebuilt: Rebuilt) -> None:
    rebuilt.row(1, "a")
    rebuilt.row(1, "a", table="parked")
    assert rebuilt.left() == {"parked": [1]}


def test_outcome_of_one_acceptance_drops_no_other(rebuilt: Rebuilt) -> None:
    """Neither a replay of the same envelope, nor an envelope of the same id and moment in another connection."""
    rebuilt.outcome(1, "a", OutcomeType.DELIVERED)
    rebuilt.row(2, "a", replay=1)
    rebuilt.row(3, "a", connection=2)
    rebuilt.row(4, "b")
    assert rebuilt.left() == {"log": [2, 3, 4], "journal": [1]}


def test_discarded_letter_and_its_replaced_outcome_are_dropped(rebuilt: Rebuilt) -> None:
    rebuilt.letter(1, "a")
    rebuilt.letter(2, "b")
    rebuilt.outcome(1, "a", OutcomeType.DEAD_LETTERED)
    rebuilt.outcome(2, "b", OutcomeType.DEAD_LETTERED)
    rebuilt.outcome(3, "a", OutcomeType.DISCARDED)
    assert rebuilt.left() == {"journal": [2, 3], "dead_letters": [2]}


def test_letter_whose_replay_waits_or_has_ended_is_dropped(rebuilt: Rebuilt) -> None:
    for number, name in enumerate("abcd", 1):
        rebuilt.letter(number, name)
    rebuilt.row(11, "a", replay=1)
    rebuilt.row(12, "b", replay=1, table="parked")
    rebuilt.outcome(13, "c", OutcomeType.DELIVERED, replay=1)
    assert rebuilt.left() == {"log": [11], "parked": [12], "journal": [13], "dead_letters": [4]}


def test_later_replay_does_not_drop_an_earlier_letter(rebuilt: Rebuilt) -> None:
    """A letter goes when its replay is appended, and that left a row or an outcome: without either it stays."""
    rebuilt.letter(1, "a")
    rebuilt.letter(2, "a", replay=1)
    assert rebuilt.left() == {"dead_letters": [1, 2]}


def test_undecodable_rows_stay_and_the_temporary_table_is_dropped(rebuilt: Rebuilt) -> None:
    rebuilt.row(1, "a")
    rebuilt.database.execute("UPDATE log SET data = ?", (record.pack(_outcome("a", OutcomeType.DELIVERED, 0)),))
    rebuilt.outcome(1, "a", OutcomeType.DELIVERED)
    assert rebuilt.left() == {"log": [1], "journal": [1]}
    assert schema.differing_definitions(rebuilt.database) == set()
