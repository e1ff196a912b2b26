"""Sequences rise whatever the clock does, and over restarts."""

from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.forward.sequences import RESERVED, Sequences

NOW = 1_800_000_000_000_000


def restarted(limit: int) -> Sequences:
    sequences = Sequences()
    sequences.restore(limit)
    return sequences


def test_first_sequence_is_the_time() -> None:
    sequences = restarted(0)
    assert sequences.reserve(NOW) == NOW + RESERVED
    assert sequences.take(NOW) == NOW
    assert sequences.reserve(NOW) == 0
    assert sequences.take(NOW) == NOW + 1


def test_sequence_never_passes_the_stored_limit() -> None:
    sequences = restarted(0)
    limit = sequences.reserve(NOW)
    assert sequences.take(limit + RESERVED) == limit
    assert sequences.reserve(NOW) == limit + 1 + RESERVED


def test_restart_with_a_clock_that_was_set_back_continues_above_the_limit() -> None:
    first = restarted(0)
    limit = first.reserve(NOW)
    assert first.take(NOW) == NOW
    second = restarted(limit)
    assert second.reserve(NOW - RESERVED) == limit + 1 + RESERVED
    assert second.take(NOW - RESERVED) == limit + 1


@given(st.lists(st.tuples(st.integers(0, 10**17), st.integers(0, 10**17), st.sampled_from(("go on", "stop", "crash")))))
def test_sequences_rise_over_clocks_and_restarts(steps: list[tuple[int, int, str]]) -> None:
    """A crash may come between a limit that was stored and its first use."""
    stored, taken, sequences = 0, [0], restarted(0)
    for reserved_at, taken_at, then in steps:
        stored = sequences.reserve(reserved_at) or stored
        if then != "crash":
            taken.append(sequences.take(taken_at))
            assert taken[-1] <= stored
        if then != "go on":
            sequences = restarted(stored)
    assert taken == sorted(set(taken))
