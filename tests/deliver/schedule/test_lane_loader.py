"""Lanes are read from the spool, share contacts, are parked and loaded again."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from delivery.lane_loader import Loading
from delivery.worker import envelope, event, row
from intercomd_daemon.deliver.schedule.lane_loader import LEFT_OUT_MAX, LOADED_BYTES_MAX, READ_BYTES_MAX
from intercomd_daemon.deliver.schedule.pacing import RETRY_SECONDS_MAX
from intercomd_daemon.deliver.schedule.read_ahead import LANE_ROWS_MAX, READ_ROWS, ROWS_MAX
from intercomd_daemon.deliver.schedule.residency import LOADED_LANES_MAX
from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import Progress
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import CachedContact, RowPage, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool


@pytest.mark.fills("deliver.schedule.read_ahead.ROWS_MAX")
async def test_reading_ahead_stops_at_a_full_window_and_continues_when_rows_leave(
    spool: MemorySpool, loading: Loading
) -> None:
    keys = await spool.append([row(envelope(f"{n}", f"u{n}", None, event("e"))) for n in range(ROWS_MAX)])
    await loading.read_all()
    assert ROWS_MAX // 2 - READ_ROWS < loading.loader.rows <= ROWS_MAX // 2
    read = loading.loader.rows
    loading.loader.remove_rows(keys[: READ_ROWS * 2])
    await loading.read_all()
    assert loading.loader.rows > read - READ_ROWS * 2


async def test_full_bulk_window_leaves_room_for_normal_rows(spool: MemorySpool, loading: Loading) -> None:
    await spool.append([row(envelope(f"b{n}", f"b{n}", None, event("e")), Priority.BULK) for n in range(ROWS_MAX)])
    await loading.read_all()
    loading.loader.mark_appended(Priority.NORMAL)
    await spool.append([row(envelope("n", "n", None, event("e")))])
    await loading.read_all()
    assert "c:n" in loading.lanes
    assert loading.take().key == "c:n"


@pytest.mark.fills("deliver.schedule.read_ahead.LANE_ROWS_MAX")
async def test_lane_with_more_than_its_share_of_rows_is_parked_but_for_its_first_page(
    spool: MemorySpool, loading: Loading
) -> None:
    """Its rows do not count to the window."""
    rows = [row(envelope(f"{n}", "busy", None, event("e", n))) for n in range(LANE_ROWS_MAX + 100)]
    keys = await spool.append(rows)
    await loading.read_all()
    lane = loading.lanes["c:busy"]
    assert lane.queue.keys() == keys[:LANE_ROWS_MAX]
    assert loading.loader.rows == 0
    assert spool.usage().connections["default"].parked_lanes == 1


@pytest.mark.fills("deliver.schedule.residency.LOADED_LANES_MAX")
async def test_large_lanes_beyond_the_limit_wait_in_the_spool_and_each_gets_its_turn(
    spool: MemorySpool, loading: Loading
) -> None:
    """A drained lane gives up its place to the one that has waited longest."""
    lanes = [f"c:{number}" for number in range(LOADED_LANES_MAX + 2)]
    keys: dict[str, list[int]] = {}
    for lane in lanes:
        rows = [row(envelope(f"{lane}/{n}", lane[2:], None, event("e", n))) for n in range(LANE_ROWS_MAX + 50)]
        keys[lane] = await spool.append(rows)
    loader = loading.loader
    loader.load_due(100.0)
    await loading.read_all()
    assert list(loading.lanes) == lanes[:LOADED_LANES_MAX]
    assert loader.rows == 0
    assert spool.usage().connections["default"].parked_lanes == len(lanes)
    for turn, comes in enumerate((*lanes[LOADED_LANES_MAX:], lanes[0])):
        await loading.load_due(101.0 + turn)
        goes = loading.take()
        assert goes.key == lanes[turn]
        goes.queue.truncate(0)
        loader.refill_or_remove(goes)
        await loading.load_due(101.0 + turn)
        assert goes.key not in loading.lanes
        assert loading.lanes[comes].queue.keys() == keys[comes][:LANE_ROWS_MAX]
        assert len(loading.lanes) == LOADED_LANES_MAX


async def test_lanes_with_the_same_cached_contact_share_it(spool: MemorySpool, loading: Loading) -> None:
    await spool.settle(
        [Settlement("default", contacts=[CachedContact("c:u", "id-1", b""), CachedContact("e:a@x.org", "id-1", b"")])]
    )
    await spool.append(
        [row(envelope("a", "u", None, event("e"))), row(envelope("b", "", None, event("e"), email="a@x.org"))]
    )
    await loading.read_all()
    lanes = loading.lanes
    assert lanes["c:u"].contact is lanes["e:a@x.org"].contact
    assert lanes["c:u"].contact.id == "id-1"


async def test_lanes_that_turn_out_to_be_the_same_person_share_the_contact_from_then_on(
    spool: MemorySpool, loading: Loading
) -> None:
    await spool.append(
        [row(envelope("a", "u", None, event("e"))), row(envelope("b", "", None, event("e"), email="a@x.org"))]
    )
    await loading.read_all()
    first, second = loading.lanes["c:u"], loading.lanes["e:a@x.org"]
    loading.loader.share_contact(first)
    assert first.contact is not second.contact
    for lane in (first, second):
        lane.contact.identify("id-1")
        loading.loader.share_contact(lane)
    assert first.contact is second.contact


async def test_parked_lane_is_loaded_when_due_with_its_failures(spool: MemorySpool, loading: Loading) -> None:
    keys = await spool.append([row(envelope(f"{n}", "u", None, event("e", n))) for n in range(3)])
    await loading.read_all()
    lane = loading.take()
    lane.failures = 4
    due = time.time() + 1000
    loading.loader.park(lane, due)
    await loading.finish()
    assert loading.lanes == {}
    assert loading.loader.rows == 0
    assert loading.loader.seconds_until_due(due) == 0.0
    await loading.load_due(due - 1)
    assert loading.lanes == {}
    await loading.load_due(due + 1)
    back = loading.lanes["c:u"]
    assert (back.queue.keys(), back.failures) == (keys, 4)


async def test_lane_parked_before_the_clock_was_set_back_is_loaded_at_once(
    spool: MemorySpool, loading: Loading
) -> None:
    """No lane is parked for a year: the clock was wrong when this one was."""
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await spool.park("default", "c:u", keys, 365 * 86_400.0, 3)
    await loading.load_due(2.0)
    assert loading.lanes["c:u"].queue.keys() == keys


async def test_lane_parked_by_this_loader_is_loaded_when_the_clock_is_set_back(
    spool: MemorySpool, loading: Loading
) -> None:
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await loading.load_due(100_000.0)
    await loading.read_all()
    loading.loader.park(loading.take(), 100_200.0)
    await loading.finish()
    await loading.load_due(100_199.0)
    assert loading.lanes == {}
    await loading.load_due(2000.0)
    assert loading.lanes["c:u"].queue.keys() == keys


async def test_lane_is_loaded_although_a_look_for_due_lanes_overtook_its_parking(tmp_path: Path) -> None:
    """The query does not find it, because it is not parked yet. Its due time is noted when it is."""
    spool = await open_spool(SqliteSettings(path=str(tmp_path / "spool.db"), free_bytes_min=0))
    loading = Loading(spool)
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await loading.read_all()
    loading.loader.park(loading.take(), 5.0)
    loading.loader.load_due(2.0)
    await loading.finish()
    assert loading.loader.seconds_until_due(2.0) == 3.0
    await loading.load_due(6.0)
    assert loading.lanes["c:u"].queue.keys() == keys
    await spool.close()


@pytest.mark.parametrize("reading_first", [True, False])
async def test_rows_read_while_their_lane_is_being_parked_follow_it(tmp_path: Path, reading_first: bool) -> None:
    """A read in progress, or started before the lane is parked, returns rows of it. They go behind its other rows."""
    spool = await open_spool(SqliteSettings(path=str(tmp_path / "spool.db"), free_bytes_min=0))
    loading = Loading(spool)
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await loading.read_all()
    keys += await spool.append([row(envelope("1", "u", None, event("e", 1)))])
    loading.loader.mark_appended(Priority.NORMAL)
    if reading_first:
        loading.loader.start_next_read()
    loading.loader.park(loading.take(), 5.0)
    loading.loader.start_next_read()
    await loading.finish()
    assert loading.lanes == {}
    await loading.load_due(10.0)
    assert loading.lanes["c:u"].queue.keys() == keys
    await spool.close()


async def test_loaded_lane_without_further_rows_is_not_parked_any_more(spool: MemorySpool, loading: Loading) -> None:
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await spool.park("default", "c:u", keys, 1.0, 0)
    await loading.load_due(2.0)
    lane = loading.take()
    step = lane.next(time.time())
    assert step.request.path == "/events"
    await spool.settle([Settlement("default", completions=[lane.queue.head.end("default", 1.0)])])
    lane.queue.remove_first(Priority.NORMAL)
    loading.loader.refill_or_remove(lane)
    await loading.finish()
    assert loading.lanes == {}
    assert spool.usage().connections["default"].parked_lanes == 0


async def test_drained_lane_leaves_memory(spool: MemorySpool, loading: Loading) -> None:
    await spool.append([row(envelope("0", "u", None, event("e")))])
    await loading.read_all()
    lane = loading.take()
    lane.queue.remove_first(Priority.NORMAL)
    loading.loader.refill_or_remove(lane)
    assert loading.lanes == {}


@pytest.mark.fills("deliver.schedule.lane_loader.READ_BYTES_MAX")
async def test_read_returns_at_most_1_mib(spool: MemorySpool, loading: Loading) -> None:
    large = b'{"x":"' + b"x" * (READ_BYTES_MAX // 4) + b'"}'
    await spool.append([row(envelope(f"{n}", f"u{n}", None, event("e", 0, large))) for n in range(9)])
    loading.loader.start_next_read()
    await loading.finish()
    assert loading.loader.rows == 3


@pytest.mark.fills("deliver.schedule.lane_loader.LOADED_BYTES_MAX")
async def test_page_of_a_parked_lane_is_bounded_in_bytes_and_has_at_least_one_envelope(
    spool: MemorySpool, loading: Loading
) -> None:
    for lane, size in (("small", LOADED_BYTES_MAX // 4), ("large", LOADED_BYTES_MAX + 1)):
        metadata = b'{"x":"' + b"x" * size + b'"}'
        rows = [row(envelope(f"{lane}{n}", lane, None, event("e", n, metadata))) for n in range(9)]
        await spool.park("default", f"c:{lane}", await spool.append(rows), 1.0, 0)
    await loading.load_due(2.0)
    assert {key: len(lane.queue) for key, lane in loading.lanes.items()} == {"c:small": 3, "c:large": 1}


async def test_damaged_row_is_reported_with_its_outcome_and_the_rest_is_loaded(
    spool: MemorySpool, loading: Loading
) -> None:
    good, bad = (row(envelope(name, "ann", None, event("e"))) for name in ("good", "bad"))
    await spool.append([replace(bad, data=bad.data[:-1]), good])
    await loading.read_all()
    [(notice, details)] = loading.notes.events
    assert (notice, len(details["rows"])) == ("rows_damaged", 1)
    assert [(each.envelope_id, each.reason) for each in loading.notes.outcomes] == [("bad", "DAMAGED")]
    assert loading.loader.rows == 1


async def test_row_that_this_release_cannot_read_is_reported_and_stays_in_the_spool(
    spool: MemorySpool, loading: Loading
) -> None:
    """Its checksum is right: another release wrote it."""
    readable = row(envelope("readable", "u", None, event("e")))
    foreign = replace(row(envelope("foreign", "u", None, event("e"))), data=pack(Progress(attempts=1)))
    await spool.append([foreign, readable])
    await loading.read_all()
    [(notice, details)] = loading.notes.events
    assert notice == "rows_damaged"
    assert "left where it is: not a AcceptedEnvelope" in details["rows"][0]
    assert loading.notes.outcomes == []
    assert (len(loading.lanes["c:u"].queue), loading.loader.rows) == (1, 1)
    assert spool.usage().connections["default"].normal == 2


@pytest.mark.parametrize("unreadable", [1, 2, LANE_ROWS_MAX])
async def test_unreadable_parked_lane_leaves_memory_and_is_loaded_later(
    spool: MemorySpool, loading: Loading, unreadable: int
) -> None:
    foreign = [
        replace(row(envelope(f"{number}", "u", None, event("e"))), data=pack(Progress(attempts=1)))
        for number in range(unreadable)
    ]
    await spool.park("default", "c:u", await spool.append(foreign), 1.0, 0)
    await loading.load_due(2.0)
    assert loading.lanes == {}
    assert loading.loader.residency.loaded == 0
    assert loading.loader.seconds_until_due(2.0) == RETRY_SECONDS_MAX
    [key] = await spool.append([row(envelope("later", "u", None, event("e")))])
    loading.loader.mark_appended(Priority.NORMAL)
    await loading.read_all()
    await loading.load_due(2.0 + RETRY_SECONDS_MAX)
    if unreadable < LANE_ROWS_MAX:
        assert loading.lanes["c:u"].queue.keys() == [key]
    else:  # A whole page of them keeps the later ones from being read, but no longer other lanes.
        assert loading.lanes == {}


@pytest.mark.fills("deliver.schedule.lane_loader.LEFT_OUT_MAX")
async def test_rows_that_are_left_out_are_not_loaded_and_do_not_fill_the_window(
    spool: MemorySpool, loading: Loading
) -> None:
    keys = await spool.append([row(envelope(name, name, None, event("e"))) for name in ("a", "b", "c")])
    for key in (keys[2], *range(10**9, 10**9 + LEFT_OUT_MAX - 2), keys[0], keys[1]):
        loading.loader.leave_out(key)
    loading.loader.undo_leave_out(keys[1])
    loading.loader.undo_leave_out(keys[1])
    await loading.read_all()
    assert (list(loading.lanes), loading.loader.rows) == (["c:b", "c:c"], 2)


class EndingSpool(MemorySpool):
    """Ends the rows of a parked lane's first page right after it was read."""

    async def parked(self, connection: str, lane: str, after: int, rows_max: int, bytes_max: int) -> RowPage:
        batch = await super().parked(connection, lane, after, rows_max, bytes_max)
        for each in batch.rows[:1]:
            self._remove(each.key)
        return batch


@pytest.mark.parametrize("rows", [1, 2])
async def test_parked_lane_goes_on_behind_rows_that_are_left_out(rows: int) -> None:
    spool = EndingSpool()
    loading = Loading(spool)
    keys = await spool.append([row(envelope(f"{n}", "a", None, event("e"))) for n in range(rows)])
    await spool.park("default", "c:a", keys, 0.0, 1)
    for key in keys:
        loading.loader.leave_out(key)
    await loading.load_due(1.0)
    assert loading.lanes == {}
    await spool.append([row(envelope("new", "a", None, event("e")))])
    loading.loader.mark_appended(Priority.NORMAL)
    await loading.read_all()
    assert list(loading.lanes) == ["c:a"]
