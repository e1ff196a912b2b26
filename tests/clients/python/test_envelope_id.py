"""Envelope ids increase whatever the clock does, and are UUIDs of version 7 by RFC 9562."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from intercomd import new_envelope_id
from intercomd.envelope_id import COUNTER_BITS, EnvelopeIds


def test_id_is_a_uuid_of_version_7_that_holds_the_time() -> None:
    before = time.time_ns() // 1_000_000
    text = new_envelope_id()
    made = UUID(text)
    assert str(made) == text
    assert made.version == 7
    assert made.variant == RFC_4122
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1


@given(st.lists(st.integers(0, 2**48 - 2), min_size=2, max_size=50))
def test_ids_increase_when_the_clock_stops_or_goes_back(milliseconds: list[int]) -> None:
    ids = EnvelopeIds()
    made = [ids.next(millisecond) for millisecond in milliseconds]
    assert made == sorted(set(made))
    assert {UUID(text).version for text in made} == {7}


def test_exhausted_counter_continues_in_the_next_millisecond() -> None:
    ids = EnvelopeIds()
    first = ids.next(1000)
    ids._counter = 2**COUNTER_BITS - 2
    second, third = ids.next(1000), ids.next(1000)
    assert [UUID(text).int >> 80 for text in (first, second, third)] == [1000, 1000, 1001]
    assert first < second < third


def test_threads_never_get_the_same_id() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: new_envelope_id(), range(4000)))
    assert len(set(made)) == len(made)
