"""A normal envelope arrives for a user with a bulk backlog larger than memory."""

import time

from delivery.lane_loader import Loading
from delivery.worker import envelope, event, row
from intercomd_daemon.deliver.schedule.read_ahead import LANE_ROWS_MAX
from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import Settlement


async def _append_bulk_backlog(spool: MemorySpool, loading: Loading) -> list[int]:
    """Appends more bulk envelopes than one lane may have in memory; returns their keys."""
    rows = [row(envelope(f"b{n}", "u", None, event("e", n)), Priority.BULK) for n in range(LANE_ROWS_MAX + 50)]
    keys = await spool.append(rows)
    await loading.read_all()
    assert loading.lanes["c:u"].queue.keys() == keys[:LANE_ROWS_MAX]
    return keys


async def _append_normal(spool: MemorySpool, loading: Loading) -> int:
    [key] = await spool.append([row(envelope("n", "u", None, event("now")))])
    loading.loader.mark_appended(Priority.NORMAL)
    await loading.read_all()
    return key


async def test_normal_envelope_goes_before_its_users_bulk_backlog_in_memory(
    spool: MemorySpool, loading: Loading
) -> None:
    bulk = await _append_bulk_backlog(spool, loading)
    normal = await _append_normal(spool, loading)
    lane = loading.lanes["c:u"]
    assert lane.queue.keys() == [normal, *bulk[: LANE_ROWS_MAX - 1]]
    # It is in the line of lanes with normal envelopes, before all lanes with bulk ones.
    await spool.append([row(envelope("other", "other", None, event("e")), Priority.BULK)])
    loading.loader.mark_appended(Priority.BULK)
    await loading.read_all()
    assert loading.take() is lane


async def test_bulk_envelope_in_progress_is_finished_before_the_normal_one(
    spool: MemorySpool, loading: Loading
) -> None:
    bulk = await _append_bulk_backlog(spool, loading)
    lane = loading.take()
    lane.next(time.time())
    loading.ready_queue.start(lane)
    normal = await _append_normal(spool, loading)
    assert lane.queue.keys() == bulk[:1]
    await spool.settle([Settlement("default", completions=[lane.queue.head.end("default", 1.0)])])
    lane.queue.remove_first(Priority.BULK)
    loading.ready_queue.finish(lane)
    loading.loader.refill_or_remove(lane)
    await loading.finish()
    assert lane.queue.keys() == [normal, *bulk[1:LANE_ROWS_MAX]]


async def test_resting_lane_is_loaded_with_the_normal_envelope_when_its_rest_ends(
    spool: MemorySpool, loading: Loading
) -> None:
    bulk = await _append_bulk_backlog(spool, loading)
    lane = loading.take()
    loading.ready_queue.rest(lane, 1.0)
    normal = await _append_normal(spool, loading)
    assert lane.queue.keys() == []
    loading.ready_queue.wake(1.0)
    assert loading.take() is lane
    loading.loader.refill_or_remove(lane)
    await loading.finish()
    assert lane.queue.keys() == [normal, *bulk[: LANE_ROWS_MAX - 1]]
