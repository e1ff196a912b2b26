"""A user with more bulk envelopes than are in memory, for whom a normal one comes."""

import time

from delivery.lane_loader import Feeding
from delivery.worker import envelope, event, row
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.schedule.read_ahead import LANE_ROWS_MAX
from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import Settlement
from intercomd_daemon.spool.memory import MemorySpool


async def _with_a_bulk_backlog(spool: MemorySpool, feeding: Feeding) -> list[int]:
    """The keys of a user's bulk envelopes, more than are in memory, of which the first are."""
    rows = [row(envelope(f"b{n}", "u", None, event("e", n)), Priority.BULK) for n in range(LANE_ROWS_MAX + 50)]
    keys = await spool.append(rows)
    await feeding.fill()
    assert feeding.loader.lanes["c:u"].queue.keys() == keys[:LANE_ROWS_MAX]
    return keys


def _taken(feeding: Feeding) -> Lane:
    lane = feeding.ready_queue.take()
    assert lane is not None
    return lane


async def _append_normal(spool: MemorySpool, feeding: Feeding) -> int:
    [key] = await spool.append([row(envelope("n", "u", None, event("now")))])
    feeding.loader.appended(Priority.NORMAL)
    await feeding.fill()
    return key


async def test_a_normal_envelope_goes_before_a_bulk_backlog_of_its_user_that_is_in_memory(
    spool: MemorySpool, feeding: Feeding
) -> None:
    bulk = await _with_a_bulk_backlog(spool, feeding)
    normal = await _append_normal(spool, feeding)
    lane = feeding.loader.lanes["c:u"]
    assert lane.queue.keys() == [normal, *bulk[: LANE_ROWS_MAX - 1]]
    # In line with those who have normal ones, before anybody with bulk ones.
    await spool.append([row(envelope("other", "other", None, event("e")), Priority.BULK)])
    feeding.loader.appended(Priority.BULK)
    await feeding.fill()
    assert feeding.ready_queue.take() is lane


async def test_where_a_bulk_envelope_has_begun_it_is_finished_and_the_normal_one_is_next(
    spool: MemorySpool, feeding: Feeding
) -> None:
    bulk = await _with_a_bulk_backlog(spool, feeding)
    lane = _taken(feeding)
    lane.next(time.time())
    feeding.ready_queue.start(lane)
    normal = await _append_normal(spool, feeding)
    assert lane.queue.keys() == bulk[:1]
    await spool.settle([Settlement("default", completions=[lane.queue.head.end("default", 1.0)])])
    lane.queue.remove_first(Priority.BULK)
    feeding.ready_queue.finish(lane)
    feeding.loader.drained(lane)
    await feeding.quiet()
    assert lane.queue.keys() == [normal, *bulk[1:LANE_ROWS_MAX]]


async def test_one_that_rests_is_fed_with_the_normal_one_when_its_rest_is_over(
    spool: MemorySpool, feeding: Feeding
) -> None:
    bulk = await _with_a_bulk_backlog(spool, feeding)
    lane = _taken(feeding)
    feeding.ready_queue.rest(lane, 1.0)
    normal = await _append_normal(spool, feeding)
    assert lane.queue.keys() == []
    feeding.ready_queue.wake(1.0)
    assert feeding.ready_queue.take() is lane
    feeding.loader.drained(lane)
    await feeding.quiet()
    assert lane.queue.keys() == [normal, *bulk[: LANE_ROWS_MAX - 1]]
