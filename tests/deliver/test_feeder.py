"""From the spool to lanes in memory: what is read, shared, set aside and brought back."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from delivery.lane_loader import Feeding
from delivery.worker import envelope, event, row
from intercomd_daemon.deliver.feeder import FED_BYTES_MAX, FED_LANES_MAX, READ_BYTES_MAX
from intercomd_daemon.deliver.window import LANE_ROWS_MAX, READ_ROWS, ROWS_MAX
from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import CachedContact, Settlement
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool


@pytest.mark.fills("deliver.window.ROWS_MAX")
async def test_reading_ahead_stops_at_the_window_and_goes_on_as_rows_leave(
    spool: MemorySpool, feeding: Feeding
) -> None:
    keys = await spool.append([row(envelope(f"{n}", f"u{n}", None, event("e"))) for n in range(ROWS_MAX)])
    await feeding.fill()
    assert ROWS_MAX // 2 - READ_ROWS < feeding.feeder.rows <= ROWS_MAX // 2
    read = feeding.feeder.rows
    feeding.feeder.leave(keys[: READ_ROWS * 2])
    await feeding.fill()
    assert feeding.feeder.rows > read - READ_ROWS * 2


async def test_a_full_bulk_window_leaves_room_for_normal_rows(spool: MemorySpool, feeding: Feeding) -> None:
    await spool.append([row(envelope(f"b{n}", f"b{n}", None, event("e")), Priority.BULK) for n in range(ROWS_MAX)])
    await feeding.fill()
    feeding.feeder.appended(Priority.NORMAL)
    await spool.append([row(envelope("n", "n", None, event("e")))])
    await feeding.fill()
    assert "c:n" in feeding.feeder.lanes
    assert feeding.roster.take().key == "c:n"


@pytest.mark.fills("deliver.window.LANE_ROWS_MAX")
async def test_a_lane_larger_than_its_share_is_fed_from_a_queue_of_its_own(
    spool: MemorySpool, feeding: Feeding
) -> None:
    """Its rows do not count to the window, and come back in order."""
    rows = [row(envelope(f"{n}", "busy", None, event("e", n))) for n in range(LANE_ROWS_MAX + 100)]
    keys = await spool.append(rows)
    await feeding.fill()
    lane = feeding.feeder.lanes["c:busy"]
    assert lane.queue.keys() == keys[:LANE_ROWS_MAX]
    assert feeding.feeder.rows == 0
    assert spool.usage().connections["default"].parked_lanes == 1


@pytest.mark.fills("deliver.feeder.FED_LANES_MAX")
async def test_of_many_large_lanes_a_number_is_in_memory_and_each_gets_its_turn(
    spool: MemorySpool, feeding: Feeding
) -> None:
    """The others wait in the spool; a lane that has run dry gives its place to the one that has waited longest."""
    lanes = [f"c:{number}" for number in range(FED_LANES_MAX + 2)]
    keys: dict[str, list[int]] = {}
    for lane in lanes:
        rows = [row(envelope(f"{lane}/{n}", lane[2:], None, event("e", n))) for n in range(LANE_ROWS_MAX + 50)]
        keys[lane] = await spool.append(rows)
    feeder = feeding.feeder
    feeder.feed_due(100.0)
    await feeding.fill()
    assert list(feeder.lanes) == lanes[:FED_LANES_MAX]
    assert feeder.rows == 0
    assert spool.usage().connections["default"].parked_lanes == len(lanes)
    for turn, comes in enumerate((*lanes[FED_LANES_MAX:], lanes[0])):
        await feeding.bring_back(101.0 + turn)
        goes = feeding.roster.take()
        assert goes is not None
        assert goes.key == lanes[turn]
        goes.queue.truncate(0)
        feeder.ran_dry(goes)
        await feeding.bring_back(101.0 + turn)
        assert goes.key not in feeder.lanes
        assert feeder.lanes[comes].queue.keys() == keys[comes][:LANE_ROWS_MAX]
        assert len(feeder.lanes) == FED_LANES_MAX


async def test_lanes_that_are_the_same_person_share_what_is_known(spool: MemorySpool, feeding: Feeding) -> None:
    await spool.settle(
        [Settlement("default", contacts=[CachedContact("c:u", "id-1", b""), CachedContact("e:a@x.org", "id-1", b"")])]
    )
    await spool.append(
        [row(envelope("a", "u", None, event("e"))), row(envelope("b", "", None, event("e"), email="a@x.org"))]
    )
    await feeding.fill()
    lanes = feeding.feeder.lanes
    assert lanes["c:u"].contact is lanes["e:a@x.org"].contact
    assert lanes["c:u"].contact.id == "id-1"


async def test_lanes_that_turn_out_to_be_the_same_person_share_from_then_on(
    spool: MemorySpool, feeding: Feeding
) -> None:
    await spool.append(
        [row(envelope("a", "u", None, event("e"))), row(envelope("b", "", None, event("e"), email="a@x.org"))]
    )
    await feeding.fill()
    first, second = feeding.feeder.lanes["c:u"], feeding.feeder.lanes["e:a@x.org"]
    feeding.feeder.share(first)
    assert first.contact is not second.contact
    for lane in (first, second):
        lane.contact.id = "id-1"
        feeding.feeder.share(lane)
    assert first.contact is second.contact


async def test_a_lane_set_aside_comes_back_when_it_is_due_with_its_tries(spool: MemorySpool, feeding: Feeding) -> None:
    keys = await spool.append([row(envelope(f"{n}", "u", None, event("e", n))) for n in range(3)])
    await feeding.fill()
    lane = feeding.roster.take()
    lane.failures = 4
    due = time.time() + 1000
    feeding.feeder.set_aside(lane, due)
    await feeding.quiet()
    assert feeding.feeder.lanes == {}
    assert feeding.feeder.rows == 0
    assert feeding.feeder.due_at <= due
    await feeding.bring_back(due - 1)
    assert feeding.feeder.lanes == {}
    await feeding.bring_back(due + 1)
    back = feeding.feeder.lanes["c:u"]
    assert (back.queue.keys(), back.failures) == (keys, 4)


async def test_a_clock_that_is_set_back_keeps_no_lane_aside(spool: MemorySpool, feeding: Feeding) -> None:
    """A lane that is due in a year was set aside by a clock that was wrong: it comes back now."""
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await spool.park("default", "c:u", keys, 365 * 86_400.0, 3)
    await feeding.bring_back(2.0)
    assert feeding.feeder.lanes["c:u"].queue.keys() == keys


async def test_a_clock_that_is_set_back_meanwhile_keeps_none_either(spool: MemorySpool, feeding: Feeding) -> None:
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await feeding.bring_back(100_000.0)
    await feeding.fill()
    feeding.feeder.set_aside(feeding.roster.take(), 100_200.0)
    await feeding.quiet()
    await feeding.bring_back(100_199.0)
    assert feeding.feeder.lanes == {}
    await feeding.bring_back(2000.0)
    assert feeding.feeder.lanes["c:u"].queue.keys() == keys


async def test_a_lane_is_not_forgotten_whose_leaving_a_look_at_what_is_due_overtakes(tmp_path: Path) -> None:
    """The spool does not know yet when it is due, so that the look finds nothing; the lane itself tells afterwards."""
    spool = await open_spool(SqliteSettings(path=str(tmp_path / "spool.db"), free_bytes_min=0))
    feeding = Feeding(spool)
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await feeding.fill()
    feeding.feeder.set_aside(feeding.roster.take(), 5.0)
    feeding.feeder.feed_due(2.0)
    await feeding.quiet()
    assert feeding.feeder.due_at == 5.0
    await feeding.bring_back(6.0)
    assert feeding.feeder.lanes["c:u"].queue.keys() == keys
    await spool.close()


@pytest.mark.parametrize("reading_first", [True, False])
async def test_rows_read_while_their_lane_is_set_aside_follow_it(tmp_path: Path, reading_first: bool) -> None:
    """A read under way, or begun before the lane has left, brings rows of it: they go behind the others."""
    spool = await open_spool(SqliteSettings(path=str(tmp_path / "spool.db"), free_bytes_min=0))
    feeding = Feeding(spool)
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await feeding.fill()
    keys += await spool.append([row(envelope("1", "u", None, event("e", 1)))])
    feeding.feeder.appended(Priority.NORMAL)
    if reading_first:
        feeding.feeder.fill()
    feeding.feeder.set_aside(feeding.roster.take(), 5.0)
    feeding.feeder.fill()
    await feeding.quiet()
    assert feeding.feeder.lanes == {}
    await feeding.bring_back(10.0)
    assert feeding.feeder.lanes["c:u"].queue.keys() == keys
    await spool.close()


async def test_a_fed_lane_that_has_run_dry_is_parked_no_more(spool: MemorySpool, feeding: Feeding) -> None:
    keys = await spool.append([row(envelope("0", "u", None, event("e")))])
    await spool.park("default", "c:u", keys, 1.0, 0)
    await feeding.bring_back(2.0)
    lane = feeding.roster.take()
    step = lane.next(time.time())
    assert step.request.path == "/events"
    await spool.settle([Settlement("default", completions=[lane.queue.head.end("default", 1.0)])])
    lane.queue.remove_first(Priority.NORMAL)
    feeding.feeder.ran_dry(lane)
    await feeding.quiet()
    assert feeding.feeder.lanes == {}
    assert spool.usage().connections["default"].parked_lanes == 0


async def test_a_lane_that_has_run_dry_leaves_memory(spool: MemorySpool, feeding: Feeding) -> None:
    await spool.append([row(envelope("0", "u", None, event("e")))])
    await feeding.fill()
    lane = feeding.roster.take()
    lane.queue.remove_first(Priority.NORMAL)
    feeding.feeder.ran_dry(lane)
    assert feeding.feeder.lanes == {}


@pytest.mark.fills("deliver.feeder.READ_BYTES_MAX")
async def test_one_read_brings_a_megabyte_at_most(spool: MemorySpool, feeding: Feeding) -> None:
    large = b'{"x":"' + b"x" * (READ_BYTES_MAX // 4) + b'"}'
    await spool.append([row(envelope(f"{n}", f"u{n}", None, event("e", 0, large))) for n in range(9)])
    feeding.feeder.fill()
    await feeding.quiet()
    assert feeding.feeder.rows == 3


@pytest.mark.fills("deliver.feeder.FED_BYTES_MAX")
async def test_a_parked_lane_is_in_memory_with_so_many_bytes_but_one_envelope_at_least(
    spool: MemorySpool, feeding: Feeding
) -> None:
    for lane, size in (("small", FED_BYTES_MAX // 4), ("large", FED_BYTES_MAX + 1)):
        metadata = b'{"x":"' + b"x" * size + b'"}'
        rows = [row(envelope(f"{lane}{n}", lane, None, event("e", n, metadata))) for n in range(9)]
        await spool.park("default", f"c:{lane}", await spool.append(rows), 1.0, 0)
    await feeding.bring_back(2.0)
    assert {key: len(lane.queue) for key, lane in feeding.feeder.lanes.items()} == {"c:small": 3, "c:large": 1}


async def test_a_row_whose_record_is_damaged_is_told_with_its_outcome_and_the_rest_goes_on(
    spool: MemorySpool, feeding: Feeding
) -> None:
    good, bad = (row(envelope(name, "ann", None, event("e"))) for name in ("good", "bad"))
    await spool.append([replace(bad, data=bad.data[:-1]), good])
    await feeding.fill()
    assert len(feeding.feeder.damaged) == 1
    assert [(each.envelope_id, each.reason) for each in feeding.feeder.ended_damaged] == [("bad", "DAMAGED")]
    assert feeding.feeder.rows == 1
