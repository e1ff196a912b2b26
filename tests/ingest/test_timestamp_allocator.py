"""Events of one user and name get unique seconds; a repeated envelope gets the same ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.conversion import LATEST_TIME
from intercomd_daemon.envelope import TrackEvent
from intercomd_daemon.ingest.limits import CLAIMED_SECONDS_MAX
from intercomd_daemon.ingest.timestamp_allocator import Allocation, TimestampAllocator


def allocate(
    seconds: TimestampAllocator,
    envelope_id: str,
    *events: TrackEvent,
    lane: str = "c:u",
    connection: str = "default",
    latest: int = LATEST_TIME,
) -> Allocation:
    return seconds.allocate(connection, lane, envelope_id, events, latest)


def click(created_at: int = 1000, name: str = "Click") -> TrackEvent:
    return TrackEvent(name, created_at, b'{"a":1}')


def test_event_keeps_a_free_second() -> None:
    allocated = allocate(TimestampAllocator(), "e-1", click())
    assert (allocated.events, allocated.findings) == ((click(),), ())
    assert len(allocated.pairs) == 1


def test_event_on_a_taken_second_is_shifted_and_reported() -> None:
    seconds = TimestampAllocator()
    allocated = [allocate(seconds, f"e-{index}", click()) for index in range(3)]
    assert [each.events[0].created_at for each in allocated] == [1000, 1001, 1002]
    assert [[(finding.reason, finding.field) for finding in each.findings] for each in allocated] == [
        [],
        [("TIME_SHIFTED", "event_time")],
        [("TIME_SHIFTED", "event_time")],
    ]
    assert allocated[2].events[0].metadata == click().metadata


def test_repeated_envelope_gets_the_same_second() -> None:
    seconds = TimestampAllocator()
    first = [allocate(seconds, f"e-{index}", click()) for index in range(3)]
    assert [allocate(seconds, f"e-{index}", click()) for index in range(3)] == first


@pytest.mark.parametrize(
    ("event", "lane", "connection"),
    [
        (click(name="Scroll"), "c:u", "default"),
        (click(created_at=1001), "c:u", "default"),
        (click(), "c:v", "default"),
        (click(), "e:u", "default"),
        (click(), "c:u", "other"),
    ],
)
def test_other_name_second_user_or_connection_does_not_conflict(event: TrackEvent, lane: str, connection: str) -> None:
    seconds = TimestampAllocator()
    allocate(seconds, "e-1", click())
    assert not allocate(seconds, "e-2", event, lane=lane, connection=connection).findings


def test_names_conflict_in_any_case() -> None:
    seconds = TimestampAllocator()
    allocate(seconds, "e-1", click(name="CLICK Straße"))
    assert allocate(seconds, "e-2", click(name="click STRASSE")).events[0].created_at == 1001


def test_events_of_one_envelope_get_different_seconds() -> None:
    seconds = TimestampAllocator()
    allocated = allocate(seconds, "e-1", click(), click(), click(1001))
    assert [event.created_at for event in allocated.events] == [1000, 1001, 1002]
    assert allocate(seconds, "e-1", click(), click(), click(1001)) == allocated


def test_event_without_a_free_second_in_five_minutes_stays_and_is_reported() -> None:
    seconds = TimestampAllocator()
    allocated = [allocate(seconds, f"e-{index}", click()) for index in range(302)]
    assert allocated[300].events[0].created_at == 1300
    assert allocated[301].events[0].created_at == 1000
    assert [finding.reason for finding in allocated[301].findings] == ["SAME_SECOND"]
    assert allocated[301].pairs == ()


@pytest.mark.parametrize(
    ("latest", "created_at"),
    [
        (1002, [1000, 1001, 1002, 1000, 1000]),
        (1000, [1000] * 5),
        # The clock went back: the event is in the future already, and does not move further.
        (990, [1000] * 5),
        (1060, [1000, 1001, 1002, 1003, 1004]),
    ],
)
def test_event_is_not_shifted_beyond_the_latest_second(latest: int, created_at: list[int]) -> None:
    seconds = TimestampAllocator()
    allocated = [allocate(seconds, f"e-{index}", click(), latest=latest) for index in range(5)]
    assert [each.events[0].created_at for each in allocated] == created_at
    stayed = [each.findings[0].reason for each in allocated[1:] if each.events[0].created_at == 1000]
    assert stayed == ["SAME_SECOND"] * len(stayed)


def test_messages_give_times_as_rfc_3339() -> None:
    seconds = TimestampAllocator()
    allocated = [allocate(seconds, f"e-{index}", click(), latest=1001) for index in range(3)]
    shifted, stayed = (each.findings[0].message for each in allocated[1:])
    assert shifted == (
        "the user has another event of this name at 1970-01-01T00:16:40Z, which Intercom would merge with it: "
        "shifted by 1 s to 1970-01-01T00:16:41Z"
    )
    assert stayed == (
        "the user has events of this name on every second from 1970-01-01T00:16:40Z to 1970-01-01T00:16:41Z: "
        "not shifted, and Intercom may merge it; send the events' real times"
    )


def test_claims_of_an_earlier_run_are_honoured() -> None:
    earlier = TimestampAllocator()
    pairs = [pair for index in range(3) for pair in allocate(earlier, f"e-{index}", click()).pairs]
    later = TimestampAllocator([*pairs, *pairs])
    assert allocate(later, "e-1", click()).events[0].created_at == 1001
    assert allocate(later, "e-9", click()).events[0].created_at == 1003


def test_learned_claim_replaces_that_of_this_process() -> None:
    seconds = TimestampAllocator()
    first = allocate(seconds, "e-1", click())
    ((key, owner),) = first.pairs
    seconds.learn([(key, owner + 1), (key + 1, owner + 2)])
    shifted = allocate(seconds, "e-1", click())
    assert shifted.events[0].created_at == 1002
    assert allocate(seconds, "e-1", click()) == shifted


def test_learned_claims_are_evicted_like_others() -> None:
    """Learning the same claims again takes no more room."""
    seconds = TimestampAllocator(claims_max=3)
    ((key, owner),) = allocate(seconds, "e", click()).pairs
    for _ in range(3):
        seconds.learn([(key, owner + 1), (key + 1, owner + 2)])
    assert len(seconds._owners) == 2
    for index in range(4):
        allocate(seconds, "e", click(2000 + index))
    assert len(seconds._owners) == 3
    assert allocate(seconds, "e", click()).events[0].created_at == 1000


def test_oldest_claims_are_evicted() -> None:
    seconds = TimestampAllocator(claims_max=3)
    for index in range(4):
        allocate(seconds, "e", click(index))
    assert allocate(seconds, "x", click(0)).events[0].created_at == 0
    assert allocate(seconds, "x", click(3)).events[0].created_at == 4
    allocate(seconds, "x", click(9))
    assert len(seconds._owners) == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "B"])), max_size=60))
def test_any_events_get_unique_seconds_and_claims_fit_64_bits(wanted: list[tuple[int, str]]) -> None:
    seconds = TimestampAllocator()
    allocated = [allocate(seconds, f"e-{index}", click(at, name)) for index, (at, name) in enumerate(wanted)]
    taken = [(each.events[0].name, each.events[0].created_at) for each in allocated]
    assert len(set(taken)) == len(taken)
    assert all(0 <= number < 2**63 for each in allocated for pair in each.pairs for number in pair)
    restarted = TimestampAllocator([pair for each in allocated for pair in each.pairs])
    assert [allocate(restarted, f"e-{index}", click(at, name)) for index, (at, name) in enumerate(wanted)] == allocated


def test_damaged_key_is_ignored() -> None:
    """A disk may return bits that were never written; the daemon starts all the same."""
    seconds = TimestampAllocator([(2**63, 1), (2**64 - 1, 2), (2**63 - 1, 3)])
    assert list(seconds._owners.values()) == [3]


@pytest.mark.fills("ingest.limits.CLAIMED_SECONDS_MAX")
def test_claims_are_bounded() -> None:
    seconds = TimestampAllocator()
    for index in range(CLAIMED_SECONDS_MAX + 1):
        allocate(seconds, "e", click(index))
    assert len(seconds._owners) == CLAIMED_SECONDS_MAX
    assert allocate(seconds, "x", click(0)).events[0].created_at == 0
    assert allocate(seconds, "x", click(CLAIMED_SECONDS_MAX)).events[0].created_at == CLAIMED_SECONDS_MAX + 1
