"""Two real events never share a second, and the same event asked again keeps its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.conversion import LATEST_TIME
from intercomd_daemon.envelope import TrackEvent
from intercomd_daemon.ingest.limits import CLAIMED_SECONDS_MAX
from intercomd_daemon.ingest.timestamp_allocator import Allocation, TimestampAllocator


def place(
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


def test_a_free_second_is_the_events_own() -> None:
    placed = place(TimestampAllocator(), "e-1", click())
    assert (placed.events, placed.findings) == ((click(),), ())
    assert len(placed.pairs) == 1


def test_a_taken_second_moves_the_event_on_and_it_is_said() -> None:
    seconds = TimestampAllocator()
    placed = [place(seconds, f"e-{index}", click()) for index in range(3)]
    assert [each.events[0].created_at for each in placed] == [1000, 1001, 1002]
    assert [[(finding.reason, finding.field) for finding in each.findings] for each in placed] == [
        [],
        [("TIME_SHIFTED", "event_time")],
        [("TIME_SHIFTED", "event_time")],
    ]
    assert placed[2].events[0].metadata == click().metadata


def test_the_same_envelope_asked_again_gets_the_same_second() -> None:
    seconds = TimestampAllocator()
    first = [place(seconds, f"e-{index}", click()) for index in range(3)]
    assert [place(seconds, f"e-{index}", click()) for index in range(3)] == first


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
def test_another_name_second_user_or_connection_does_not_matter(event: TrackEvent, lane: str, connection: str) -> None:
    seconds = TimestampAllocator()
    place(seconds, "e-1", click())
    assert not place(seconds, "e-2", event, lane=lane, connection=connection).findings


def test_names_are_the_same_in_any_case() -> None:
    seconds = TimestampAllocator()
    place(seconds, "e-1", click(name="CLICK Straße"))
    assert place(seconds, "e-2", click(name="click STRASSE")).events[0].created_at == 1001


def test_the_events_of_one_envelope_have_seconds_of_their_own() -> None:
    seconds = TimestampAllocator()
    placed = place(seconds, "e-1", click(), click(), click(1001))
    assert [event.created_at for event in placed.events] == [1000, 1001, 1002]
    assert place(seconds, "e-1", click(), click(), click(1001)) == placed


def test_after_five_minutes_the_event_stays_and_it_is_said() -> None:
    seconds = TimestampAllocator()
    placed = [place(seconds, f"e-{index}", click()) for index in range(302)]
    assert placed[300].events[0].created_at == 1300
    assert placed[301].events[0].created_at == 1000
    assert [finding.reason for finding in placed[301].findings] == ["SAME_SECOND"]
    assert placed[301].pairs == ()


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
def test_no_event_moves_beyond_the_latest_second(latest: int, created_at: list[int]) -> None:
    seconds = TimestampAllocator()
    placed = [place(seconds, f"e-{index}", click(), latest=latest) for index in range(5)]
    assert [each.events[0].created_at for each in placed] == created_at
    stayed = [each.findings[0].reason for each in placed[1:] if each.events[0].created_at == 1000]
    assert stayed == ["SAME_SECOND"] * len(stayed)


def test_messages_give_times_as_rfc_3339() -> None:
    seconds = TimestampAllocator()
    placed = [place(seconds, f"e-{index}", click(), latest=1001) for index in range(3)]
    shifted, stayed = (each.findings[0].message for each in placed[1:])
    assert shifted == (
        "the user has another event of this name at 1970-01-01T00:16:40Z, which Intercom would merge with it: "
        "shifted by 1 s to 1970-01-01T00:16:41Z"
    )
    assert stayed == (
        "the user has events of this name on every second from 1970-01-01T00:16:40Z to 1970-01-01T00:16:41Z: "
        "not shifted, and Intercom may merge it; send the events' real times"
    )


def test_what_an_earlier_run_remembered_counts() -> None:
    earlier = TimestampAllocator()
    pairs = [pair for index in range(3) for pair in place(earlier, f"e-{index}", click()).pairs]
    later = TimestampAllocator([*pairs, *pairs])
    assert place(later, "e-1", click()).events[0].created_at == 1001
    assert place(later, "e-9", click()).events[0].created_at == 1003


def test_only_the_newest_are_remembered() -> None:
    seconds = TimestampAllocator(claims_max=3)
    for index in range(4):
        place(seconds, "e", click(index))
    assert place(seconds, "x", click(0)).events[0].created_at == 0
    assert place(seconds, "x", click(3)).events[0].created_at == 4
    place(seconds, "x", click(9))
    assert len(seconds._owners) == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "B"])), max_size=60))
def test_no_two_events_of_a_name_share_a_second_and_pairs_fit_64_bits(wanted: list[tuple[int, str]]) -> None:
    seconds = TimestampAllocator()
    placed = [place(seconds, f"e-{index}", click(at, name)) for index, (at, name) in enumerate(wanted)]
    taken = [(each.events[0].name, each.events[0].created_at) for each in placed]
    assert len(set(taken)) == len(taken)
    assert all(0 <= number < 2**63 for each in placed for pair in each.pairs for number in pair)
    restarted = TimestampAllocator([pair for each in placed for pair in each.pairs])
    assert [place(restarted, f"e-{index}", click(at, name)) for index, (at, name) in enumerate(wanted)] == placed


def test_a_key_that_cannot_be_ours_is_left_out() -> None:
    """The disk may give back what nobody wrote; a daemon starts all the same."""
    seconds = TimestampAllocator([(2**63, 1), (2**64 - 1, 2), (2**63 - 1, 3)])
    assert list(seconds._owners.values()) == [3]


@pytest.mark.fills("ingest.limits.CLAIMED_SECONDS_MAX")
def test_as_many_are_remembered_as_the_limit_says() -> None:
    seconds = TimestampAllocator()
    for index in range(CLAIMED_SECONDS_MAX + 1):
        place(seconds, "e", click(index))
    assert len(seconds._owners) == CLAIMED_SECONDS_MAX
    assert place(seconds, "x", click(0)).events[0].created_at == 0
    assert place(seconds, "x", click(CLAIMED_SECONDS_MAX)).events[0].created_at == CLAIMED_SECONDS_MAX + 1
