"""Whose turn it is: round-robin, normal before bulk, and the lanes that rest."""

from math import inf

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.catalogue import Catalogue
from intercomd_daemon.deliver.contact import Contact, Unavailable
from intercomd_daemon.deliver.delivery import Lane
from intercomd_daemon.deliver.roster import Roster
from intercomd_daemon.deliver.step import Rules
from intercomd_daemon.deliver.waiting import Waiting
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import Progress

NORMAL, BULK = Priority.NORMAL, Priority.BULK


def add(lane: Lane, priority: Priority) -> None:
    lane.queue.add(Waiting(1, priority, AcceptedEnvelope("1", lane.key, "", 0.0, {}, (), (), "", b""), Progress()))


def lane(key: str, *priorities: Priority) -> Lane:
    made = Lane(key, Contact(), Rules("main"), Catalogue(ConnectionSettings(name="main")), Unavailable())
    for priority in priorities:
        add(made, priority)
    return made


def lined_up(*lanes: Lane) -> Roster:
    roster = Roster()
    for one in lanes:
        roster.ready(one)
    return roster


def order(roster: Roster) -> list[str]:
    keys = []
    while (one := roster.take()) is not None:
        keys.append(one.key)
    return keys


def test_lanes_take_turns_in_the_order_in_which_they_lined_up_normal_before_bulk() -> None:
    roster = lined_up(lane("a", BULK), lane("b", NORMAL), lane("c", NORMAL), lane("d", BULK, NORMAL))
    assert roster.waiting
    assert order(roster) == ["b", "c", "d", "a"]
    assert not roster.waiting


def test_a_lane_stands_in_line_once_and_lines_up_anew_after_its_turn() -> None:
    one, two = lane("a", NORMAL), lane("b", NORMAL)
    roster = lined_up(one, two, one)
    assert roster.take() is one
    roster.ready(one)
    assert order(roster) == ["b", "a"]


def test_who_is_busy_does_not_line_up_and_who_is_empty_does_to_say_so() -> None:
    busy = lane("a", NORMAL)
    busy.busy = True
    assert order(lined_up(busy, lane("b"), lane("c", NORMAL))) == ["b", "c"]


def test_a_lane_in_the_bulk_line_changes_lines_for_a_normal_envelope() -> None:
    """Or a normal envelope would wait until nothing normal is due anywhere else."""
    mixed = lane("a", BULK)
    roster = lined_up(lane("z", BULK), mixed, lane("b", NORMAL))
    add(mixed, NORMAL)
    roster.ready(mixed)
    roster.ready(mixed)
    assert order(roster) == ["b", "a", "z"]


def test_a_lane_that_rests_lines_up_when_its_time_has_come() -> None:
    first, second = lane("a", NORMAL), lane("b", NORMAL)
    roster = Roster()
    assert roster.next_wake == inf
    roster.rest(second, 20.0)
    roster.rest(first, 10.0)
    assert roster.next_wake == 10.0
    roster.ready(first)
    roster.wake(9.9)
    assert order(roster) == []
    roster.wake(10.0)
    assert order(roster) == ["a"]
    assert roster.next_wake == 20.0
    roster.wake(30.0)
    assert order(roster) == ["b"]


def test_all_go_on_at_once_in_the_order_of_their_times() -> None:
    roster = Roster()
    for key, until in (("a", 20.0), ("b", 10.0), ("c", 20.0)):
        roster.rest(lane(key, NORMAL), until)
    roster.wake_all()
    assert roster.next_wake == inf
    assert order(roster) == ["b", "a", "c"]


def test_a_lane_that_was_emptied_while_it_rested_lines_up_to_say_so() -> None:
    one = lane("a", NORMAL)
    roster = Roster()
    roster.rest(one, 10.0)
    one.queue.remove_first(NORMAL)
    roster.wake(10.0)
    assert order(roster) == ["a"]
    add(one, NORMAL)
    roster.ready(one)
    assert order(roster) == ["a"]


def test_a_lane_may_leave_its_line_and_come_again_but_not_while_it_rests() -> None:
    one, other = lane("a", NORMAL), lane("b", BULK)
    roster = lined_up(one, other)
    assert roster.leave(other)
    assert not roster.leave(other)
    roster.ready(other)
    assert order(roster) == ["a", "b"]
    roster.rest(one, 10.0)
    assert not roster.leave(one)


def test_a_lane_whose_call_has_not_failed_goes_first_where_that_is_asked_for() -> None:
    failed, bulk, normal = lane("a", NORMAL), lane("b", BULK), lane("c", NORMAL)
    failed.failures = 1
    roster = lined_up(failed, bulk, normal)
    assert roster.untried is normal
    assert [roster.take(untried=True) for _ in range(4)] == [normal, bulk, failed, None]
    assert roster.untried is None
