"""Which lane takes the next turn: in turn, normal before bulk, and lanes that rest."""

from math import inf

import pytest

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
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


def ready_queue_of(*lanes: Lane) -> ReadyQueue:
    ready_queue = ReadyQueue()
    for one in lanes:
        ready_queue.ready(one)
    return ready_queue


def order(ready_queue: ReadyQueue) -> list[str]:
    keys = []
    while (one := ready_queue.take()) is not None:
        keys.append(one.key)
        ready_queue.finish(one)
    return keys


def test_lanes_take_turns_in_the_order_they_became_ready_normal_before_bulk() -> None:
    ready_queue = ready_queue_of(lane("a", BULK), lane("b", NORMAL), lane("c", NORMAL), lane("d", BULK, NORMAL))
    assert ready_queue.has_untried
    assert order(ready_queue) == ["b", "c", "d", "a"]
    assert not ready_queue.has_untried


@pytest.mark.parametrize("priority", [NORMAL, BULK])
def test_lane_is_in_line_once_and_goes_to_the_end_after_its_turn(priority: Priority) -> None:
    one, two = lane("a", priority), lane("b", priority)
    ready_queue = ready_queue_of(one, two, one)
    assert ready_queue.take() is one
    ready_queue.finish(one)
    ready_queue.ready(one)
    assert order(ready_queue) == ["b", "a"]


def test_busy_lane_does_not_become_ready_and_an_empty_one_does() -> None:
    busy, empty = lane("a", NORMAL), lane("b")
    ready_queue = ready_queue_of(busy)
    assert ready_queue.take() is busy
    assert ready_queue.is_busy(busy)
    for one in (busy, empty, lane("c", NORMAL)):
        ready_queue.ready(one)
    assert ready_queue.busy == 1
    assert not ready_queue.leave(busy)
    assert order(ready_queue) == ["b", "c"]
    ready_queue.finish(busy)
    ready_queue.ready(busy)
    assert (ready_queue.busy, order(ready_queue)) == (0, ["a"])


def test_lane_in_the_bulk_line_moves_to_the_normal_line_for_a_normal_envelope() -> None:
    """Otherwise the normal envelope would wait until no other lane has a normal one."""
    mixed = lane("a", BULK)
    ready_queue = ready_queue_of(lane("z", BULK), mixed, lane("b", NORMAL))
    add(mixed, NORMAL)
    ready_queue.ready(mixed)
    ready_queue.ready(mixed)
    assert order(ready_queue) == ["b", "a", "z"]


def test_resting_lane_becomes_ready_at_its_time() -> None:
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


def test_wake_all_makes_resting_lanes_ready_in_the_order_of_their_times() -> None:
    ready_queue = ReadyQueue()
    for key, until in (("a", 20.0), ("b", 10.0), ("c", 20.0)):
        ready_queue.rest(lane(key, NORMAL), until)
    ready_queue.wake_all()
    assert ready_queue.next_wake == inf
    assert order(ready_queue) == ["b", "a", "c"]


def test_lane_emptied_while_it_rests_becomes_ready() -> None:
    one = lane("a", NORMAL)
    ready_queue = ReadyQueue()
    ready_queue.rest(one, 10.0)
    one.queue.remove_first(NORMAL)
    ready_queue.wake(10.0)
    assert order(ready_queue) == ["a"]
    add(one, NORMAL)
    ready_queue.ready(one)
    assert order(ready_queue) == ["a"]


def test_lane_may_leave_its_line_and_return_but_not_while_it_rests() -> None:
    one, other = lane("a", NORMAL), lane("b", BULK)
    ready_queue = ready_queue_of(one, other)
    assert ready_queue.leave(other)
    assert not ready_queue.leave(other)
    ready_queue.ready(other)
    assert order(ready_queue) == ["a", "b"]
    ready_queue.rest(one, 10.0)
    assert not ready_queue.leave(one)


def test_failed_and_untried_lanes_are_taken_alone_on_request() -> None:
    failed, bulk, normal = lane("a", NORMAL), lane("b", BULK), lane("c", NORMAL)
    failed.failures = 1
    ready_queue = ready_queue_of(failed, bulk, normal)
    assert (ready_queue.has_untried, ready_queue.has_failed) == (True, True)
    assert [ready_queue.take(failed=False) for _ in range(3)] == [normal, bulk, None]
    assert (ready_queue.has_untried, ready_queue.has_failed) == (False, True)
    assert [ready_queue.take(untried=False) for _ in range(2)] == [failed, None]
    assert (ready_queue.has_untried, ready_queue.has_failed) == (False, False)


def test_failed_answered_and_new_lanes_take_turns_in_one_order() -> None:
    failed, answered, new = lane("a", NORMAL), lane("b", NORMAL), lane("c", NORMAL)
    failed.failures = 1
    ready_queue = ReadyQueue()
    ready_queue.ready(answered, answered=True)
    ready_queue.ready(failed)
    ready_queue.ready(new)
    assert order(ready_queue) == ["b", "a", "c"]


def test_alternate_turns_try_the_newest_and_at_times_the_oldest_lane() -> None:
    """Lanes whose last call went well take every second turn, in their order. Lanes that failed are left alone."""
    ready_queue = ReadyQueue()
    for key in "abcdefgh":
        ready_queue.ready(lane(key, NORMAL))
        ready_queue.ready(lane(key.upper(), NORMAL), answered=True)
    failed, bulk = lane("failed", NORMAL), lane("bulk", BULK)
    failed.failures = 1
    ready_queue.ready(failed)
    ready_queue.ready(bulk)
    taken = [ready_queue.take(alternate=True) for _ in range(16)]
    assert "".join(one.key for one in taken if one) == "AhBgCfDaEeFdGcHb"
    assert [ready_queue.take(alternate=True) for _ in range(3)] == [failed, bulk, None]


def test_alternate_turns_of_answered_lanes_alone_keep_their_order() -> None:
    ready_queue = ReadyQueue()
    for key in "abc":
        ready_queue.ready(lane(key, NORMAL), answered=True)
    assert [one.key for one in iter(lambda: ready_queue.take(alternate=True), None)] == ["a", "b", "c"]


@pytest.mark.parametrize("answered", [True, False])
def test_lane_that_moves_to_the_normal_line_keeps_its_history(answered: bool) -> None:
    mixed, other = lane("a", BULK), lane("b", NORMAL)
    ready_queue = ReadyQueue()
    ready_queue.ready(mixed, answered=answered)
    ready_queue.ready(other)
    add(mixed, NORMAL)
    ready_queue.ready(mixed)
    # At an odd turn lanes whose last call went well go first. Of new lanes the newest does, which it is, too.
    assert ready_queue.take(alternate=True) is mixed
    assert ready_queue.take(alternate=True) is other


def test_ready_or_resting_lane_is_withdrawn_and_a_busy_one_is_not() -> None:
    ready, resting, other, busy = (lane(name, NORMAL) for name in ("ready", "resting", "other", "busy"))
    ready_queue = ready_queue_of(ready)
    ready_queue.rest(resting, 5.0)
    ready_queue.rest(other, 7.0)
    ready_queue.start(busy)
    assert [ready_queue.is_busy(each) for each in (ready, resting, busy)] == [False, False, True]
    assert [ready_queue.rests_until(each) for each in (ready, resting, other)] == [0.0, 5.0, 7.0]
    for each in (ready, resting, busy):
        ready_queue.withdraw(each)
    assert not ready_queue.has_untried
    assert (ready_queue.next_wake, ready_queue.busy) == (7.0, 1)
    ready_queue.start(resting)
    ready_queue.finish(resting)
    ready_queue.wake(9.0)
    assert ready_queue.take() is other
    assert ready_queue.take() is None
