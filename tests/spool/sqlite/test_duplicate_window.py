from collections.abc import Callable

import pytest

from intercomd_daemon.spool.rotation import GENERATION_IDS_MAX
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.sqlite import log
from intercomd_daemon.spool.sqlite.duplicate_window import EMPTIED_PER_COMMIT, add, find_key, pack_id, rotate, unpack_id
from intercomd_daemon.spool.sqlite.transaction import Transaction

UUID = "0197a8e0-0000-7000-8000-00000000abcd"


def ids(transaction: Transaction, place: int) -> int:
    counted = transaction.database.execute(f"SELECT count(*) FROM recent_{place}")  # noqa: S608 - our own table
    return int(counted.fetchone()[0])


def turn(transaction: Transaction) -> None:
    """Lets both clocks say that the window of 100 s has passed."""
    transaction.now += 100.0
    transaction.counters.spool.elapsed_seconds += 100.0
    rotate(transaction, 100.0)


@pytest.mark.parametrize(
    ("envelope_id", "stored"),
    [
        (UUID, bytes.fromhex(UUID.replace("-", ""))),
        (UUID.upper(), UUID.upper()),
        (UUID.replace("-", ""), UUID.replace("-", "")),
        (UUID[:-1] + "g", UUID[:-1] + "g"),
        ("{" + UUID[1:-1] + "}", "{" + UUID[1:-1] + "}"),
        ("order/17", "order/17"),
        ("", ""),
    ],
)
def test_only_canonical_uuids_are_stored_as_bytes(envelope_id: str, stored: str | bytes) -> None:
    assert pack_id(envelope_id) == stored


def test_ids_are_known_by_their_connection_and_their_text(transaction: Transaction) -> None:
    assert add(transaction, [(1, pack_id(UUID), 10), (2, pack_id(UUID), 11), (1, "x", 12), (1, "X", 13)]) == set()
    assert add(transaction, [(1, pack_id(UUID), 20), (1, "y", 21), (2, "x", 22), (1, "x", 23)]) == {20, 23}
    keys = [find_key(transaction, connection, name) for connection, name in ((1, UUID), (2, UUID), (1, "z"))]
    assert keys == [
        10,
        11,
        0,
    ]


def test_bytes_id_and_text_id_of_the_same_bytes_differ(transaction: Transaction) -> None:
    assert add(transaction, [(1, pack_id("61616161-6161-6161-6161-616161616161"), 1), (1, "a" * 16, 2)]) == set()


def test_second_of_one_batch_is_the_duplicate(transaction: Transaction) -> None:
    assert add(transaction, [(1, "x", 1), (1, "x", 2), (1, "y", 3), (1, "x", 4)]) == {2, 4}


def test_empty_addition_adds_nothing(transaction: Transaction) -> None:
    assert add(transaction, []) == set()
    assert transaction.counters.spool.generation_ids == 0


def test_id_of_the_older_generation_is_a_duplicate_and_not_added(transaction: Transaction) -> None:
    add(transaction, [(1, "x", 1)])
    turn(transaction)
    assert add(transaction, [(1, "x", 5), (1, "y", 6)]) == {5}
    assert find_key(transaction, 1, "x") == 1
    turn(transaction)
    assert add(transaction, [(1, "x", 7), (1, "y", 8)]) == {8}


@pytest.mark.fills("spool.sqlite.duplicate_window.EMPTIED_PER_COMMIT")
def test_generation_is_emptied_over_several_commits_and_known_until_then(transaction: Transaction) -> None:
    add(transaction, [(1, f"{number:06}", number + 1) for number in range(EMPTIED_PER_COMMIT + 5)])
    turn(transaction)
    turn(transaction)
    assert sum(ids(transaction, place) for place in range(3)) == 5
    last = f"{EMPTIED_PER_COMMIT + 4:06}"
    assert add(transaction, [(1, "000000", 8_001), (1, last, 8_002)]) == {8_002}
    generation = transaction.counters.spool.generation
    turn(transaction)  # It waits until the last one is empty.
    assert transaction.counters.spool.generation == generation
    assert sum(ids(transaction, place) for place in range(3)) == 1


def test_ids_of_waiting_rows_move_to_the_new_generation(transaction: Transaction, row: Callable[..., Incoming]) -> None:
    keys = log.append(transaction, [row("waits", connection="eu")], lambda _counters, _new, _rows: None)
    add(transaction, [(1, "gone", 1 << 49 | 999)])
    for _ in range(5):
        turn(transaction)
    assert [find_key(transaction, 1, "waits"), find_key(transaction, 1, "gone")] == [keys[0], 0]


def test_too_many_ids_rotate_the_window_early(transaction: Transaction) -> None:
    generation = transaction.counters.spool.generation
    transaction.counters.spool.generation_ids = GENERATION_IDS_MAX
    rotate(transaction, 100.0)
    assert transaction.counters.spool.generation == generation + 1
    assert transaction.counters.spool.generation_ids == 0


def test_wall_clock_set_back_restarts_the_age(transaction: Transaction) -> None:
    transaction.now -= 1e6
    transaction.counters.spool.elapsed_seconds = 500.0
    rotate(transaction, 100.0)
    generation = transaction.counters.spool.generation
    transaction.now += 100.0
    rotate(transaction, 100.0)
    assert transaction.counters.spool.generation == generation + 1


@pytest.mark.parametrize(
    "name", ["a", "", "0197a8e0-0000-7000-8000-000000000001", "0197A8E0-0000-7000-8000-000000000001"]
)
def test_stored_id_is_restored(name: str) -> None:
    assert unpack_id(pack_id(name)) == name
