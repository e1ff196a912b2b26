"""How settlements lie in the file; what they do is in `tests/spool/test_contract.py`."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from intercomd_daemon.envelope import Finding
from intercomd_daemon.outcome import DeadLetter, Outcome, Progress
from intercomd_daemon.spool.completion import shortened
from intercomd_daemon.spool.record import pack, unpack
from intercomd_daemon.spool.rows import CachedContact, Completion, Incoming, Settlement
from intercomd_daemon.spool.sqlite import log
from intercomd_daemon.spool.sqlite.settle import settle
from intercomd_daemon.spool.sqlite.transaction import Transaction


def test_settling_looks_up_rows_by_key(
    transaction: Transaction, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    """However many rows, progresses and contacts there are, none is scanned."""
    keys = log.append(
        transaction, [row(str(n), connection="eu") for n in range(3)], lambda _counters, _new, _rows: None
    )
    progress = pack(row("progress"))
    statements: list[str] = []
    transaction.database.set_trace_callback(statements.append)
    book = [CachedContact("c:ann", "i1", progress), CachedContact("c:ann", "i2", b""), CachedContact("c:ann", "", b"")]
    ends = [ended(keys[0], "0", connection="eu"), ended(keys[1], "1", connection="eu", reason="BAD")]
    settle(transaction, [Settlement("eu", ends, [(keys[2], progress)], book)])
    transaction.database.set_trace_callback(None)
    for statement in set(statements):
        plan = transaction.database.execute("EXPLAIN QUERY PLAN " + statement).fetchall()
        scanned = [step[3] for step in plan if step[3].startswith("SCAN")]
        assert [step for step in scanned if "json_each" not in step and "CONSTANT ROW" not in step] == []


def test_progress_of_a_missing_row_is_not_stored(transaction: Transaction, row: Callable[..., Incoming]) -> None:
    settle(transaction, [Settlement("eu", progress=[(1 << 49 | 7, pack(row("progress")))])])
    assert transaction.database.execute("SELECT count(*) FROM progress").fetchone() == (0,)


def test_only_completed_rows_take_a_sequence(
    transaction: Transaction, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    keys = log.append(
        transaction, [row(str(n), connection="eu") for n in range(2)], lambda _counters, _new, _rows: None
    )
    ends = [ended(key, "x", connection="eu") for key in (keys[1], 99, keys[1], keys[0])]
    assert [outcome.sequence for outcome in settle(transaction, [Settlement("eu", ends)])] == [1, 2]
    assert transaction.counters.spool.sequence == 2


def test_answers_are_left_out_where_the_disk_has_no_room_for_them(
    transaction: Transaction, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    """The outcomes, the dead letters and the progress are stored in any case."""
    keys = log.append(
        transaction, [row(str(n), connection="eu") for n in range(3)], lambda _counters, _new, _rows: None
    )
    answers = ("first", "second")
    ends = [
        replace(ended(key, str(key), connection="eu", reason="BAD"), answer_body=answer)
        for key, answer in zip(keys, answers, strict=False)
    ]
    progress = [(keys[2], pack(Progress(attempts=2, answer_body="x" * 1_000)))]
    outcomes = settle(transaction, [Settlement("eu", ends, progress)], lambda _counters, size: size == len("first"))
    letters = transaction.database.execute("SELECT data FROM dead_letters ORDER BY id").fetchall()
    assert len(outcomes) == len(letters) == 2
    assert [unpack(data, DeadLetter).answer_body for (data,) in letters] == ["first", ""]
    assert [unpack(data, DeadLetter).outcome for (data,) in letters] == outcomes
    (stored,) = transaction.database.execute("SELECT data FROM progress").fetchone()
    assert unpack(stored, Progress) == Progress(attempts=2)


@pytest.mark.parametrize("reason", ["", "BAD"])
@pytest.mark.parametrize(
    ("effects", "adjustments", "room", "whole"),
    [(4, 0, False, True), (5, 0, False, False), (5, 0, True, True), (1, 1, False, False), (1, 1, True, True)],
)
def test_details_of_large_outcomes_are_left_out_where_the_disk_has_no_room_for_them(
    transaction: Transaction,
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
    reason: str,
    effects: int,
    adjustments: int,
    room: bool,
    whole: bool,
) -> None:
    """The outcome that is reported has them."""
    (key,) = log.append(transaction, [row(connection="eu")], lambda _counters, _new, _rows: None)
    end = ended(key, connection="eu", reason=reason)
    found = (Finding("VALUE_CUT", "event", "cut"),) * adjustments
    end = replace(end, outcome=replace(end.outcome, effects=end.outcome.effects[-1:] * effects, adjustments=found))
    end = replace(end, answer_body="")
    (reported,) = settle(transaction, [Settlement("eu", [end])], lambda _counters, _size: room)
    assert reported == replace(end.outcome, sequence=1)
    stored = reported if whole else shortened(reported)
    journal = [unpack(data, Outcome) for (data,) in transaction.database.execute("SELECT data FROM journal")]
    letters = [unpack(data, DeadLetter) for (data,) in transaction.database.execute("SELECT data FROM dead_letters")]
    assert journal == [stored]
    assert [letter.outcome for letter in letters] == ([stored] if reason else [])
