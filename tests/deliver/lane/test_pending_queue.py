"""The pending envelopes of one lane, in order."""

from intercomd_daemon.deliver.lane.pending import PendingEnvelope, PendingQueue
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import Progress

NORMAL, BULK = Priority.NORMAL, Priority.BULK


def pending(key: int, priority: Priority) -> PendingEnvelope:
    return PendingEnvelope(key, priority, AcceptedEnvelope(str(key), "u1", "", 0.0, (), (), "", b""), Progress())


def queue(*rows: tuple[int, Priority]) -> PendingQueue:
    made = PendingQueue()
    for key, priority in rows:
        made.add(pending(key, priority))
    return made


def head(made: PendingQueue) -> int:
    return made.head.key if made.head else 0


def test_empty_queue_has_no_head() -> None:
    made = queue()
    assert made.head is None
    assert len(made) == 0
    assert made.keys() == []


def test_normal_goes_before_bulk_each_in_order() -> None:
    made = queue((1, BULK), (2, NORMAL), (3, BULK), (4, NORMAL))
    order = []
    while made.head is not None:
        order.append(head(made))
        made.remove_first(made.head.priority)
    assert order == [2, 4, 1, 3]


def test_bulk_envelope_that_has_begun_is_finished_first() -> None:
    made = queue((1, BULK))
    assert made.head is not None
    made.head.attempts = 1
    made.add(pending(2, NORMAL))
    made.add(pending(3, BULK))
    assert [row.key for row in made.of_head] == [1, 3]
    made.remove_first(BULK)
    assert head(made) == 2


def test_bulk_envelopes_yield_unless_they_have_begun() -> None:
    made = queue((1, BULK), (2, BULK), (3, NORMAL))
    assert made.yield_to_normal()
    assert made.keys() == [3]
    assert not made.yield_to_normal()
    begun = queue((1, BULK), (2, BULK))
    assert begun.head is not None
    begun.head.attempts = 1
    assert begun.yield_to_normal()
    assert begun.keys() == [1]


def test_keys_are_the_rows_of_all_envelopes() -> None:
    made = queue((1, BULK), (2, NORMAL), (3, BULK))
    assert sorted(made.keys()) == [1, 2, 3]
    assert len(made) == 3


def test_truncate_keeps_the_first_rows_of_the_queue_to_deliver() -> None:
    made = queue((1, NORMAL), (2, NORMAL), (3, NORMAL), (4, BULK))
    made.truncate(2)
    assert made.keys() == [1, 2]
    bulk = queue((1, BULK), (2, BULK))
    bulk.truncate(1)
    assert bulk.keys() == [1]
    bulk.truncate(5)
    assert bulk.keys() == [1]


def test_truncate_keeps_a_bulk_envelope_in_progress_alone() -> None:
    begun = queue((1, BULK), (2, BULK))
    assert begun.head is not None
    begun.head.attempts = 1
    begun.add(pending(3, NORMAL))
    begun.truncate(5)
    assert begun.keys() == [1]


def test_envelope_is_found_and_removed_wherever_it_waits() -> None:
    made = queue((1, BULK), (2, NORMAL), (3, BULK), (4, NORMAL))
    for key in (4, 1):
        found = made.find(key)
        assert found is not None
        made.remove(found)
    assert made.keys() == [2, 3]
    assert made.find(4) is None
