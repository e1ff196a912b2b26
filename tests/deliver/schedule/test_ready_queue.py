"""Whose turn it is: round-robin, normal before bulk, and the lanes that rest."""

from math import inf

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.deliver.schedule.ready_queue import ReadyQueue
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import Progress

NORMAL, BULK = Priority.NORMAL, Priority.BULK


def add(lane: Lane, priority: Priority) -> None:
    lane.queue.add(PendingEnvelope(1, priority, AcceptedEnvelope("1", lane.key, "", 0.0, (), (), "", b""), Progress()))


def lane(key: str, *priorities: Priority) -> Lane:
    made = Lane(
        key,
        Contact(),
        ConnectionSettings(name="main"),
        AttributeCatalog(ConnectionSettings(name="main")),
        UnavailableContacts(),
    )
    for priority in priorities:
        add(made, priority)
    return made


def lined_up(*lanes: Lane) -> ReadyQueue:
    ready_queue = ReadyQueue()
    for one in lanes:
        ready_queue.ready(one)
    return ready_queue


def order(ready_queue: ReadyQueue) -> list[str]:
    keys = []
    while (one := ready_queue.take()) is not None:
        keys.append(one.key)
    return keys


def test_lanes_take_turns_in_the_order_in_which_they_lined_up_normal_before_bulk() -> None:
    ready_queue = lined_up(lane("a", BULK), lane("b", NORMAL), lane("c", NORMAL), lane("d", BULK, NORMAL))
    assert ready_queue.waiting
    assert order(ready_queue) == ["b", "c", "d", "a"]
    assert not ready_queue.waiting


def test_a_lane_stands_in_line_once_and_lines_up_anew_after_its_turn() -> None:
    one, two = lane("a", NORMAL), lane("b", NORMAL)
    ready_queue = lined_up(one, two, one)
    assert ready_queue.take() is one
    ready_queue.ready(one)
    assert order(ready_queue) == ["b", "a"]


def test_who_is_busy_does_not_line_up_and_who_is_empty_does_to_say_so() -> None:
    busy, empty = lane("a", NORMAL), lane("b")
    ready_queue = lined_up(busy)
    ready_queue.take()
    ready_queue.start(busy)
    for one in (busy, empty, lane("c", NORMAL)):
        ready_queue.ready(one)
    assert ready_queue.busy == 1
    assert not ready_queue.leave(busy)
    assert order(ready_queue) == ["b", "c"]
    ready_queue.finish(busy)
    ready_queue.ready(busy)
    assert (ready_queue.busy, order(ready_queue)) == (0, ["a"])


def test_a_lane_in_the_bulk_line_changes_lines_for_a_normal_envelope() -> None:
    """Or a normal envelope would wait until nothing normal is due anywhere else."""
    mixed = lane("a", BULK)
    ready_queue = lined_up(lane("z", BULK), mixed, lane("b", NORMAL))
    add(mixed, NORMAL)
    ready_queue.ready(mixed)
    ready_queue.ready(mixed)
    assert order(ready_queue) == ["b", "a", "z"]


def test_a_lane_that_rests_lines_up_when_its_time_has_come() -> None:
    first, second = lane("a", NORMAL), lane("b", NORMAL)
    ready_queue = ReadyQueue()
    assert ready_queue.next_wake == inf
    ready_queue.rest(second, 20.0)
    ready_queue.rest(first, 10.0)
    assert ready_queue.next_wake == 10.0
    ready_queue.ready(first)
    ready_queue.wake(9.9)
    assert order(ready_queue) == []
    ready_queue.wake(10.0)
    assert order(ready_queue) == ["a"]
    assert ready_queue.next_wake == 20.0
    ready_queue.wake(30.0)
    assert order(ready_queue) == ["b"]


def test_all_go_on_at_once_in_the_order_of_their_times() -> None:
    ready_queue = ReadyQueue()
    for key, until in (("a", 20.0), ("b", 10.0), ("c", 20.0)):
        ready_queue.rest(lane(key, NORMAL), until)
    ready_queue.wake_all()
    assert ready_queue.next_wake == inf
    assert order(ready_queue) == ["b", "a", "c"]


def test_a_lane_that_was_emptied_while_it_rested_lines_up_to_say_so() -> None:
    one = lane("a", NORMAL)
    ready_queue = ReadyQueue()
    ready_queue.rest(one, 10.0)
    one.queue.remove_first(NORMAL)
    ready_queue.wake(10.0)
    assert order(ready_queue) == ["a"]
    add(one, NORMAL)
    ready_queue.ready(one)
    assert order(ready_queue) == ["a"]


def test_a_lane_may_leave_its_line_and_come_again_but_not_while_it_rests() -> None:
    one, other = lane("a", NORMAL), lane("b", BULK)
    ready_queue = lined_up(one, other)
    assert ready_queue.leave(other)
    assert not ready_queue.leave(other)
    ready_queue.ready(other)
    assert order(ready_queue) == ["a", "b"]
    ready_queue.rest(one, 10.0)
    assert not ready_queue.leave(one)


def test_a_lane_whose_call_has_not_failed_goes_first_where_that_is_asked_for() -> None:
    failed, bulk, normal = lane("a", NORMAL), lane("b", BULK), lane("c", NORMAL)
    failed.failures = 1
    ready_queue = lined_up(failed, bulk, normal)
    assert ready_queue.untried is normal
    assert [ready_queue.take(untried=True) for _ in range(4)] == [normal, bulk, failed, None]
    assert ready_queue.untried is None
