"""The places for calls in flight: young calls hold them, slow ones leave them, and totals are limited."""

from math import inf

import pytest

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.connection_pool import CALL_SECONDS
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.schedule.open_calls import (
    CONNECTIONS_MAX,
    FAILED_CALLS_MAX,
    FAILED_OPEN_MAX,
    FAILED_SLOW_SECONDS,
    MAIN_CALLS_MAX,
    OPEN_MAX,
    RESERVE_CALLS_MAX,
    RESERVE_OPEN_MAX,
    RESERVE_SLOW_SECONDS,
    SLOW_SECONDS,
    OpenCalls,
)

SETTINGS = ConnectionSettings(name="main")
CATALOG = AttributeCatalog(SETTINGS)


def lane(*, failed: bool = False) -> Lane:
    made = Lane("u", Contact(), SETTINGS, CATALOG, UnavailableContacts())
    made.failures = int(failed)
    return made


def start(calls: OpenCalls, now: float, *, failed: bool = False) -> Lane:
    started = lane(failed=failed)
    assert calls.next_at(failed=failed) <= now
    calls.start(started, now)
    return started


def start_all(calls: OpenCalls, now: float, *, failed: bool = False) -> int:
    """Starts all calls that may start now; returns how many."""
    count = 0
    while calls.next_at(failed=failed) <= now:
        start(calls, now, failed=failed)
        count += 1
    return count


@pytest.mark.parametrize(
    ("failed", "places", "seconds"), [(False, OPEN_MAX, SLOW_SECONDS), (True, FAILED_OPEN_MAX, FAILED_SLOW_SECONDS)]
)
def test_calls_leave_their_places_when_they_are_slow(failed: bool, places: int, seconds: float) -> None:
    calls = OpenCalls()
    assert start_all(calls, 10.0, failed=failed) == places
    assert calls.next_at(failed=failed) == 10.0 + seconds
    assert start_all(calls, 10.0 + seconds, failed=failed) == places
    assert len(calls) == 2 * places


@pytest.mark.fills("deliver.schedule.open_calls.OPEN_MAX")
def test_call_that_ends_frees_its_place_at_once() -> None:
    calls = OpenCalls()
    lanes = [start(calls, 1.0 + n / 1000) for n in range(OPEN_MAX)]
    assert calls.next_at(failed=False) == 1.0 + SLOW_SECONDS
    calls.end(lanes[5])
    assert calls.next_at(failed=False) == 0.0
    start(calls, 1.1)
    calls.end(lanes[0])
    start(calls, 1.1)
    # The earliest call that holds a place is now the second one.
    assert calls.next_at(failed=False) == 1.001 + SLOW_SECONDS


@pytest.mark.fills("deliver.schedule.open_calls.MAIN_CALLS_MAX")
def test_reserve_is_used_while_the_main_pool_is_full_of_slow_calls() -> None:
    calls, now = OpenCalls(), 0.0
    lanes: list[Lane] = []
    while not calls.uses_reserve:
        now = max(now, calls.next_at(failed=False))
        lanes.append(start(calls, now))
    assert len(lanes) == MAIN_CALLS_MAX
    assert start_all(calls, now) == RESERVE_OPEN_MAX
    assert calls.next_at(failed=False) == now + RESERVE_SLOW_SECONDS
    calls.end(lanes[0])
    assert not calls.uses_reserve
    assert calls.next_at(failed=False) <= now + SLOW_SECONDS


@pytest.mark.fills("deliver.schedule.open_calls.RESERVE_CALLS_MAX")
def test_reserve_lasts_for_the_timeout_of_a_call_and_is_limited() -> None:
    """The first of its calls time out before the last of its places is taken."""
    calls, times = OpenCalls(), [0.0]
    while (at := calls.next_at(failed=False)) < inf:
        times.append(max(times[-1], at))
        start(calls, times[-1])
    assert len(calls) == MAIN_CALLS_MAX + RESERVE_CALLS_MAX
    assert times[-1] + RESERVE_SLOW_SECONDS - times[MAIN_CALLS_MAX] >= CALL_SECONDS


@pytest.mark.fills("deliver.schedule.open_calls.FAILED_CALLS_MAX")
def test_lanes_that_failed_have_a_pool_of_their_own() -> None:
    """Theirs leaves the other places alone, and the other calls leave theirs."""
    calls = OpenCalls()
    assert start_all(calls, 0.0, failed=True) == FAILED_OPEN_MAX
    assert start_all(calls, FAILED_SLOW_SECONDS, failed=True) == FAILED_CALLS_MAX - FAILED_OPEN_MAX
    assert calls.next_at(failed=True) == inf
    assert start_all(calls, FAILED_SLOW_SECONDS) == OPEN_MAX


@pytest.mark.fills("deliver.schedule.open_calls.CONNECTIONS_MAX")
def test_connections_suffice_for_all_calls() -> None:
    calls, now = OpenCalls(), 0.0
    for failed in (False, True):
        while calls.next_at(failed=failed) < inf:
            now = max(now, calls.next_at(failed=failed))
            start(calls, now, failed=failed)
    # `GET /me` to verify access, and as a witness of an outage.
    assert len(calls) + 2 == CONNECTIONS_MAX


def test_call_of_a_lane_that_failed_in_the_meantime_leaves_the_pool_it_was_in() -> None:
    calls = OpenCalls()
    started = start(calls, 0.0)
    started.failures = 1
    calls.end(started)
    assert len(calls) == 0
    assert start_all(calls, 0.0, failed=True) == FAILED_OPEN_MAX
