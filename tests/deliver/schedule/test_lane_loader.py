"""From the spool to lanes in memory: what is read, shared, set aside and brought back."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from delivery.lane_loader import Feeding
from delivery.worker import envelope, event, row
from intercomd_daemon.deliver.schedule.lane_loader import FED_BYTES_MAX, FED_LANES_MAX, READ_BYTES_MAX
from intercomd_daemon.deliver.schedule.read_ahead import LANE_ROWS_MAX, READ_ROWS, ROWS_MAX
from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import CachedContact, Settlement
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool


@pytest.mark.fills("deliver.schedule.read_ahead.ROWS_MAX")
async def test_reading_ahead_stops_at_the_window_and_goes_on_as_rows_leave(
    spool: MemorySpool, feeding: Feeding
) -> None:
    keys = await spool.append([row(envelope(f"{n}", f"u{n}", None, event("e"))) for n in range(ROWS_MAX)])
    await feeding.fill()
    assert ROWS_MAX // 2 - READ_ROWS < feeding.loader.rows <= ROWS_MAX // 2
    read = feeding.loader.rows
    feeding.loader.leave(keys[: READ_ROWS * 2])
    await feeding.fill()
    assert feeding.loader.rows > read - READ_ROWS * 2


async def test_a_full_bulk_window_leaves_room_for_normal_rows(spool: MemorySpool, feeding: Feeding) -> None:
    await spool.append([row(envelope(f"b{n}", f"b{n}", None, event("e")), Priority.BULK) for n in range(ROWS_MAX)])
    await feeding.fill()
    feeding.loader.appended(Priority.NORMAL)
    await spool.append([row(envelope("n", "n", None, event("e")))])
    await feeding.fill()
    assert "c:n" in feeding.loader.lanes
    assert feeding.ready_queue.take().key == "c:n"


@pytest.mark.fills("deliver.schedule.read_ahead.LANE_ROWS_MAX")
async def test_a_lane_larger_than_its_share_is_fed_from_a_queue_of_its_own(
    spool: MemorySpool, feeding: Feeding
) -> None:
    """Its rows do not count to the window, and come back in order."""
    rows = [row(envelope(f"{n}", "busy", None, event("e", n))) for n in range(LANE_ROWS_MAX + 100)]
    keys = await spool.append(rows)
    await feeding.fill()
    lane = feeding.loader.lanes["c:busy"]
    assert lane.queue.keys() == keys[:LANE_ROWS_MAX]
    assert feeding.loader.rows == 0
    assert spool.usage().connections["default"].parked_lanes == 1


@pytest.mark.fills("deliver.schedule.lane_loader.FED_LANES_MAX")
async def test_of_many_large_lanes_a_number_is_in_memory_and_each_gets_its_turn(
    spool: MemorySpool, feeding: Feeding
) -> None:
    """The others wait in the spool; a lane that has run dry gives its place to the one that has waited longest."""
    lanes = [f"c:{number}" for number in range(FED_LANES_MAX + 2)]
    keys: dict[str, list[int]] = {}
    for lane in lanes:
        rows = [row(envelope(f"{lane}/{n}", lane[2:], None, event("e", n))) for n in range(LANE_ROWS_MAX + 50)]
        keys[lane] = await spool.append(rows)
    loader = feeding.loader
    loader.feed_due(100.0)
    await feeding.fill()
    assert list(loader.lanes) == lanes[:FED_LANES_MAX]
    assert loader.rows == 0
    assert spool.usage().connections["default"].parked_lanes == len(lanes)
    for turn, comes in enumerate((*lanes[FED_LANES_MAX:], lanes[0])):
        await feeding.bring_back(101.0 + turn)
        goes = feeding.ready_queue.take()
        assert goes is not None
        assert goes.key == lanes[turn]
        goes.queue.truncate(0)
        loader.drained(goes)
        await feeding.bring_back(101.0 + turn)
        assert goes.key not in loader.lanes
        assert loader.lanes[comes].queue.keys() == keys[comes][:LANE_ROWS_MAX]
        assert len(loader.lanes) == FED_LANES_MAX


async def test_lanes_that_are_the_same_person_share_what_is_known(spool: MemorySpool, feeding: Feeding) -> None:
    await spool.settle(
        [Settlement("default", contacts=[CachedContact("c:u", "id-1", b""), CachedContact("e:a@x.org", "id-1", b"")])]
    )
    await spool.append(
        [row(envelope("a", "u", None, event("e"))), row(envelope("b", "", None, event("e"), email="a@x.org"))]
    )
    await feeding.fill()
    lanes = feeding.loader.lanes
    assert lanes["c:u"].contact is lanes["e:a@x.org"].contact
    assert lanes["c:u"].contact.id == "id-1"


async def test_lanes_that_turn_out_to_be_the_same_person_share_from_then_on(
    spool: MemorySpool, feeding: Feeding
) -> None:
    await spool.append(
        [row(envelope("a", "u", None, event("e"))), row(envelope("b", "", None, event("e"), email="a@x.org"))]
    )
    await feeding.fill()
    first, second = feeding.loader.lanes["c:u"], feeding.loader.lanes["e:a@x.org"]
    feeding.loader.share(first)
    assert first.contact is not second.contact
    for lane in (first, second):
        lane.contact.id = "id-1"
        feeding.loader.share(lane)
    assert first.contact is second.contact


async def test_a_lane_set_aside_comes_back_when_it_is_due_with_its_tries(spool: MemorySpool, feeding: Feeding) -> None:
    keys = await spool.append([row(envelope(f"{n}", "u", None, event("e", n))) for n in range(3)])
    await feeding.fill()
    lane = feeding.ready_queue.take()
    lane.failures = 4
    due = time.time() + 1000
    feeding.loader.park(lane, due)
    await feeding.quiet()
    assert feeding.loader.lanes == {}
    assert feeding.loader.rows == 0
    assert feeding.loader.due_at <= due
    await feeding.bring_back(due - 1)
    assert feeding.loader.lanes == {}
    await feeding.bring_back(due + 1)
    back = feeding.loader.lanes["c:u"]
    assert (back.queue.keys(), back.failures) == (keys, 4)


async def test_a_clock_that_is_set_back_keeps_no_lane_aside(spool: MemorySpool, feeding: Feeding) -> None:
    """A lane that is due in a year was set aside by a clock that was wrong: it comes back now."""
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await spool.park("default", "c:u", keys, 365 * 86_400.0, 3)
    await feeding.bring_back(2.0)
    assert feeding.loader.lanes["c:u"].queue.keys() == keys


async def test_a_clock_that_is_set_back_meanwhile_keeps_none_either(spool: MemorySpool, feeding: Feeding) -> None:
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await feeding.bring_back(100_000.0)
    await feeding.fill()
    feeding.loader.park(feeding.ready_queue.take(), 100_200.0)
    await feeding.quiet()
    await feeding.bring_back(100_199.0)
    assert feeding.loader.lanes == {}
    await feeding.bring_back(2000.0)
    assert feeding.loader.lanes["c:u"].queue.keys() == keys


async def test_a_lane_is_not_forgotten_whose_leaving_a_look_at_what_is_due_overtakes(tmp_path: Path) -> None:
    """The spool does not know yet when it is due, so that the look finds nothing; the lane itself tells afterwards."""
    spool = await open_spool(SqliteSettings(path=str(tmp_path / "spool.db"), free_bytes_min=0))
    feeding = Feeding(spool)
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await feeding.fill()
    feeding.loader.park(feeding.ready_queue.take(), 5.0)
    feeding.loader.feed_due(2.0)
    await feeding.quiet()
    assert feeding.loader.due_at == 5.0
    await feeding.bring_back(6.0)
    assert feeding.loader.lanes["c:u"].queue.keys() == keys
    await spool.close()


@pytest.mark.parametrize("reading_first", [True, False])
async def test_rows_read_while_their_lane_is_set_aside_follow_it(tmp_path: Path, reading_first: bool) -> None:
    """A read under way, or begun before the lane has left, brings rows of it: they go behind the others."""
    spool = await open_spool(SqliteSettings(path=str(tmp_path / "spool.db"), free_bytes_min=0))
    feeding = Feeding(spool)
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await feeding.fill()
    keys += await spool.append([row(envelope("1", "u", None, event("e", 1)))])
    feeding.loader.appended(Priority.NORMAL)
    if reading_first:
        feeding.loader.fill()
    feeding.loader.park(feeding.ready_queue.take(), 5.0)
    feeding.loader.fill()
    await feeding.quiet()
    assert feeding.loader.lanes == {}
    await feeding.bring_back(10.0)
    assert feeding.loader.lanes["c:u"].queue.keys() == keys
    await spool.close()


async def test_a_fed_lane_that_has_run_dry_is_parked_no_more(spool: MemorySpool, feeding: Feeding) -> None:
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await spool.park("default", "c:u", keys, 1.0, 0)
    await feeding.bring_back(2.0)
    lane = feeding.ready_queue.take()
    step = lane.next(time.time())
    assert step.request.path == "/events"
    await spool.settle([Settlement("default", completions=[lane.queue.head.end("default", 1.0)])])
    lane.queue.remove_first(Priority.NORMAL)
    feeding.loader.drained(lane)
    await feeding.quiet()
    assert feeding.loader.lanes == {}
    assert spool.usage().connections["default"].parked_lanes == 0


async def test_a_lane_that_has_run_dry_leaves_memory(spool: MemorySpool, feeding: Feeding) -> None:
    await spool.append([row(envelope("0", "u", None, event("e")))])
    await feeding.fill()
    lane = feeding.ready_queue.take()
    lane.queue.remove_first(Priority.NORMAL)
    feeding.loader.drained(lane)
    assert feeding.loader.lanes == {}


@pytest.mark.fills("deliver.schedule.lane_loader.READ_BYTES_MAX")
async def test_one_read_brings_a_megabyte_at_most(spool: MemorySpool, feeding: Feeding) -> None:
    large = b'{"x":"' + b"x" * (READ_BYTES_MAX // 4) + b'"}'
    await spool.append([row(envelope(f"{n}", f"u{n}", None, event("e", 0, large))) for n in range(9)])
    feeding.loader.fill()
    await feeding.quiet()
    assert feeding.loader.rows == 3


@pytest.mark.fills("deliver.schedule.lane_loader.FED_BYTES_MAX")
async def test_a_parked_lane_is_in_memory_with_so_many_bytes_but_one_envelope_at_least(
    spool: MemorySpool, feeding: Feeding
) -> None:
    for lane, size in (("small", FED_BYTES_MAX // 4), ("large", FED_BYTES_MAX + 1)):
        metadata = b'{"x":"' + b"x" * size + b'"}'
        rows = [row(envelope(f"{lane}{n}", lane, None, event("e", n, metadata))) for n in range(9)]
        await spool.park("default", f"c:{lane}", await spool.append(rows), 1.0, 0)
    await feeding.bring_back(2.0)
    assert {key: len(lane.queue) for key, lane in feeding.loader.lanes.items()} == {"c:small": 3, "c:large": 1}


async def test_a_row_whose_record_is_damaged_is_told_with_its_outcome_and_the_rest_goes_on(
    spool: MemorySpool, feeding: Feeding
) -> None:
    good, bad = (row(envelope(name, "ann", None, event("e"))) for name in ("good", "bad"))
    await spool.append([replace(bad, data=bad.data[:-1]), good])
    await feeding.fill()
    assert len(feeding.loader.damaged) == 1
    assert [(each.envelope_id, each.reason) for each in feeding.loader.ended_damaged] == [("bad", "DAMAGED")]
    assert feeding.loader.rows == 1
