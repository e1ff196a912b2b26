"""Batches are ranges of rows, within the limits of a request."""

import pytest

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.forward.batch import (
    BYTES_MAX,
    ENVELOPES_MAX,
    GROWTH_BATCHES,
    Batch,
    BatchEntry,
    NextBatch,
    PartLimit,
)


def entry(key: int, size: int = 1) -> BatchEntry:
    return BatchEntry(key, AcceptedEnvelope(f"e-{key}", "u-1", "", 1.0, (), (), "", bytes(size)))


def filled(*keys: int, size: int = 1) -> NextBatch:
    log = NextBatch()
    log.add([entry(key, size) for key in keys], keys[-1], ended=False)
    return log


def keys(entries: list[BatchEntry]) -> list[int]:
    return [each.key for each in entries]


@pytest.mark.fills("forward.batch.ENVELOPES_MAX")
def test_batch_has_at_most_five_hundred_envelopes() -> None:
    log = filled(*range(1, ENVELOPES_MAX + 2))
    assert not log.should_read
    assert keys(log.take()) == list(range(1, ENVELOPES_MAX + 1))
    assert (len(log), log.rows_left, log.after) == (1, ENVELOPES_MAX - 1, ENVELOPES_MAX + 1)
    assert log.should_read


@pytest.mark.fills("forward.batch.BYTES_MAX")
def test_batch_has_at_most_three_mebibytes_but_one_envelope() -> None:
    third = BYTES_MAX // 3
    log = filled(1, 2, 3, 4, size=third)
    assert not log.should_read
    assert log.bytes_left == 1
    assert keys(log.take()) == [1, 2, 3]
    assert log.bytes_left == BYTES_MAX - third
    large = filled(1, 2, size=BYTES_MAX + 1)
    assert keys(large.take()) == [1]
    assert keys(large.take()) == [2]
    assert large.take() == []
    assert not large


def test_log_that_ended_is_not_read() -> None:
    log = NextBatch()
    assert log.should_read
    log.add([], 0, ended=True)
    assert not log.should_read


def test_range_of_an_earlier_run_is_taken_as_it_was() -> None:
    log = filled(3, 5, 8, 9)
    assert keys(log.take_range(8)) == [3, 5, 8]
    assert keys(log.take()) == [9]


def test_discarded_envelope_is_in_no_batch() -> None:
    log = filled(1, 2, 3, size=BYTES_MAX // 3)
    log.discard(2)
    log.discard(7)
    assert log.bytes_left == BYTES_MAX // 3
    assert keys(log.take()) == [1, 3]


def test_batch_is_sent_in_parts() -> None:
    batch = Batch(7, Priority.BULK, [entry(1), entry(2), entry(3)], 3)
    assert keys(batch.part(2)) == [1, 2]
    assert 2 in batch
    batch.settle(2)
    assert 2 not in batch
    assert keys(batch.part(2)) == [3]
    batch.settle(1)
    assert not batch.entries


def test_refused_parts_are_halved_and_grow_slowly_again() -> None:
    limit = PartLimit()
    limit.on_refusal(500)
    limit.on_refusal(250)
    assert limit.envelopes == 125
    for _ in range(GROWTH_BATCHES):
        limit.on_success()
    assert limit.envelopes == 250
    for _ in range(3 * GROWTH_BATCHES):
        limit.on_success()
    assert limit.envelopes == ENVELOPES_MAX
    limit.on_refusal(1)
    assert limit.envelopes == 1
