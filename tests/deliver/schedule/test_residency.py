"""Every transition of a lane's residency, and when the spool is queried for parked lanes."""

from collections.abc import Callable
from math import inf

import pytest

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.deliver.schedule.pacing import RETRY_SECONDS_MAX
from intercomd_daemon.deliver.schedule.residency import LOADED_LANES_MAX, NextDue, Residency
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import Progress

DUE = 50.0
FAILURES = 3


def lane(key: str = "c:u", *, rows: int = 0) -> Lane:
    settings = ConnectionSettings(name="main")
    made = Lane(key, Contact(), settings, AttributeCatalog(settings), UnavailableContacts(), FAILURES)
    for row in range(rows):
        envelope = AcceptedEnvelope(f"{row}", key, "", 0.0, (), (), "", b"")
        made.queue.add(PendingEnvelope(row, Priority.NORMAL, envelope, Progress()))
    return made


STATES = {
    "absent": (),
    "InMemory": ("add",),
    "Loading": ("start_loading",),
    "Loaded": ("add", "overflow"),
    "Parking": ("add", "park"),
    "ParkedDuringRead": ("add", "park", "confirm_parked during a read"),
}
TRANSITIONS: dict[str, Callable[[Residency, Lane], object]] = {
    "add": lambda residency, lane: residency.add(lane),
    "overflow": lambda residency, lane: residency.overflow(lane),
    "start_loading": lambda residency, lane: residency.start_loading(lane.key),
    "end_loading": lambda residency, lane: residency.end_loading(lane.key),
    "park": lambda residency, lane: residency.park(lane, DUE),
    "confirm_parked": lambda residency, lane: residency.confirm_parked(lane.key, reading=False),
    "confirm_parked during a read": lambda residency, lane: residency.confirm_parked(lane.key, reading=True),
    "end_read": lambda residency, _: residency.end_read(),
    "remove": lambda residency, lane: residency.remove(lane),
}


def in_state(name: str, lane: Lane) -> Residency:
    residency = Residency()
    for transition in STATES[name]:
        TRANSITIONS[transition](residency, lane)
    assert state_name(residency) == name
    return residency


def state_name(residency: Residency) -> str:
    state = residency.state("c:u")
    return "absent" if state is None else type(state).__name__


@pytest.mark.parametrize(
    ("transition", "before", "after", "returned"),
    [
        ("add", "absent", "InMemory", None),
        ("add", "Loading", "Loaded", None),
        ("overflow", "InMemory", "Loaded", None),
        ("start_loading", "absent", "Loading", None),
        ("end_loading", "Loading", "absent", None),
        ("end_loading", "Loaded", "absent", None),
        ("park", "InMemory", "Parking", None),
        ("park", "Loaded", "Parking", None),
        ("confirm_parked", "Parking", "absent", [DUE]),
        ("confirm_parked during a read", "Parking", "ParkedDuringRead", []),
        ("end_read", "ParkedDuringRead", "absent", [DUE]),
        ("remove", "InMemory", "absent", None),
        ("remove", "Loaded", "absent", None),
        # What a late notice finds has moved on already.
        *(("end_loading", state, state, None) for state in ("absent", "InMemory", "Parking", "ParkedDuringRead")),
        *(("confirm_parked", state, state, []) for state in STATES if state != "Parking"),
        *(("confirm_parked during a read", state, state, []) for state in STATES if state != "Parking"),
        *(("end_read", state, state, []) for state in STATES if state != "ParkedDuringRead"),
        *(("remove", state, state, None) for state in ("absent", "Loading", "Parking", "ParkedDuringRead")),
    ],
)
def test_transition_leads_to_one_state(transition: str, before: str, after: str, returned: object) -> None:
    moving = lane()
    residency = in_state(before, moving)
    assert TRANSITIONS[transition](residency, moving) == returned
    assert state_name(residency) == after


@pytest.mark.parametrize(
    ("state", "in_memory", "is_parked", "parked_as"),
    [
        ("absent", False, False, (0.0, 0)),
        ("InMemory", True, False, (0.0, 0)),
        ("Loading", False, True, (0.0, 0)),
        ("Loaded", True, True, (0.0, 0)),
        ("Parking", False, True, (DUE, FAILURES)),
        ("ParkedDuringRead", False, True, (DUE, FAILURES)),
    ],
)
def test_state_decides_where_rows_go(
    state: str, in_memory: bool, is_parked: bool, parked_as: tuple[float, int]
) -> None:
    moving = lane()
    residency = in_state(state, moving)
    assert residency.lanes == ({"c:u": moving} if in_memory else {})
    assert residency.lane("c:u") is (moving if in_memory else None)
    assert (residency.is_parked("c:u"), residency.parked_as("c:u")) == (is_parked, parked_as)


def test_loaded_lane_with_rows_stays_in_memory_when_the_table_is_empty() -> None:
    moving = lane(rows=1)
    residency = in_state("Loaded", moving)
    residency.end_loading("c:u")
    assert (state_name(residency), residency.loaded) == ("InMemory", 0)


def test_removing_a_lane_that_was_replaced_changes_nothing() -> None:
    residency = in_state("InMemory", lane())
    residency.remove(lane())
    assert state_name(residency) == "InMemory"


def test_end_read_returns_the_due_times_of_all_lanes_parked_meanwhile() -> None:
    residency = Residency()
    for key, due, reading in (("a", 1.0, True), ("b", 2.0, True), ("c", 3.0, False)):
        parked = lane(key)
        residency.add(parked)
        residency.park(parked, due)
        residency.confirm_parked(key, reading=reading)
    residency.park(lane("d"), 4.0)
    assert residency.end_read() == [1.0, 2.0]
    assert residency.end_read() == []


def test_loading_and_loaded_lanes_count_against_the_limit() -> None:
    residency = Residency()
    for number in range(LOADED_LANES_MAX):
        assert (residency.loaded, residency.full) == (number, False)
        residency.start_loading(f"{number}")
        if number % 2:
            residency.add(lane(f"{number}"))
    assert residency.full
    residency.add(lane("another"))
    residency.end_loading("0")
    assert (residency.loaded, residency.full) == (LOADED_LANES_MAX - 1, False)


def test_first_turn_looks_for_parked_lanes() -> None:
    """What an earlier process parked is not known."""
    next_due = NextDue()
    assert (next_due.should_query(0.0), next_due.reached(0.0), next_due.seconds_left(100.0)) == (True, True, 0.0)


@pytest.mark.parametrize(
    ("dues", "now", "should_query", "reached", "seconds_left"),
    [
        ([], 1000.0, False, False, inf),
        ([1000.0], 999.0, False, False, 1.0),
        ([1000.0], 1000.0, True, True, 0.0),
        ([1000.0], 1001.0, True, True, 0.0),
        ([1000.0, 900.0, 1100.0], 899.0, False, False, 1.0),
        # Further away than any lane is parked: the clock was set back.
        ([1000.0], 1000.0 - RETRY_SECONDS_MAX, False, False, RETRY_SECONDS_MAX),
        ([1000.0], 999.0 - RETRY_SECONDS_MAX, True, False, RETRY_SECONDS_MAX + 1.0),
    ],
)
def test_look_is_due_at_the_earliest_due_time(
    dues: list[float], now: float, should_query: bool, reached: bool, seconds_left: float
) -> None:
    next_due = NextDue()
    next_due.start_query()
    for due in dues:
        next_due.add_due_times([due])
    assert (next_due.should_query(now), next_due.reached(now)) == (should_query, reached)
    assert next_due.seconds_left(now) == seconds_left


def test_due_times_added_during_a_query_count() -> None:
    next_due = NextDue()
    next_due.start_query()
    next_due.add_due_times([5.0])
    next_due.add_due_times([9.0])
    assert next_due.seconds_left(1.0) == 4.0
    next_due.invalidate()
    next_due.add_due_times([])
    assert (next_due.should_query(1.0), next_due.seconds_left(1.0)) == (True, 0.0)
