"""The buffer decides what is sent next: no loop, no thread."""

import pytest

from intercomd import PublishError, PublisherSettings
from intercomd.buffer import Buffer

FRAMES = [b"first", b"second", b"third"]


def filled() -> Buffer:
    buffer = Buffer(PublisherSettings(batch_envelopes_max=1))
    for framed in FRAMES:
        buffer.put(framed, None, now=0.0)
    return buffer


def test_batch_that_was_put_back_is_the_next() -> None:
    buffer = filled()
    batch = buffer.take(0.0)
    assert batch is not None
    buffer.put_back(batch)
    assert buffer.take(0.0) is batch


def test_failed_buffer_sends_no_more_and_keeps_what_has_no_result() -> None:
    """Another sender of the publisher may be about to take the next batch."""
    buffer = filled()
    batch = buffer.take(0.0)
    assert batch is not None
    buffer.settle(batch)
    buffer.fail(PublishError("refused"))
    assert buffer.take(0.0) is None
    assert buffer.due_at() is None
    assert buffer.unanswered() == FRAMES[1:]
    with pytest.raises(PublishError, match="refused"):
        buffer.put(b"fourth", None, now=0.0)
