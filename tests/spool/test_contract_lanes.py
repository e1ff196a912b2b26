"""What every engine promises of parked lanes."""

from collections.abc import Awaitable, Callable

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import CachedContact, Completion, ContactEntry, Incoming, RowPage, Settlement

Make = Callable[..., Incoming]
End = Callable[..., Completion]
Open = Callable[..., Awaitable[Spool]]

ALL = (1_000, 1 << 20)


def keys_of(page: RowPage) -> list[int]:
    return [each.key for each in page.rows]


async def read_all(spool: Spool, after: int = 0) -> RowPage:
    return await spool.read("default", Priority.NORMAL, after, *ALL)


async def parked_all(spool: Spool, lane: str, after: int = 0) -> RowPage:
    return await spool.parked("default", lane, after, *ALL)


async def test_parked_lane_and_log_are_read_separately_in_order(spool: Spool, row: Make) -> None:
    keys = await spool.append([row(str(number), "ann" if number % 2 else "bob") for number in range(6)])
    assert keys_of(await read_all(spool)) == keys
    await spool.park("default", "c:ann", [keys[1], keys[3], keys[5]], 50.0, 2)
    assert keys_of(await read_all(spool)) == [keys[0], keys[2], keys[4]]
    assert (await parked_all(spool, "c:other")).contacts == {}
    page = await parked_all(spool, "c:ann")
    assert (keys_of(page), page.attempts, page.after) == ([keys[1], keys[3], keys[5]], 2, keys[5])
    assert keys_of(await parked_all(spool, "c:ann", keys[1])) == [keys[3], keys[5]]
    assert keys_of(await spool.parked("default", "c:ann", 0, 2, 1 << 20)) == [keys[1], keys[3]]
    assert keys_of(await spool.parked("default", "c:ann", 0, 9, 1)) == [keys[1]]


async def test_later_rows_of_a_parked_lane_follow_it(spool: Spool, row: Make) -> None:
    first = await spool.append([row("1", "ann"), row("2", "bob")])
    await spool.park("default", "c:ann", [first[0]], 0.0, 1)
    second = await spool.append([row("3", "ann"), row("4", "bob"), row("5", "ann")])
    page = await read_all(spool, first[0])
    assert keys_of(page) == [first[1], second[1]]
    assert page.after == second[2]
    assert page.moved == {"c:ann"}
    assert (await read_all(spool)).moved == frozenset()
    assert keys_of(await parked_all(spool, "c:ann")) == [first[0], second[0], second[2]]


async def test_read_skips_pages_of_parked_rows(spool: Spool, row: Make) -> None:
    keys = await spool.append([row(str(number), "ann") for number in range(5)] + [row("x", "bob")])
    await spool.park("default", "c:ann", [], 0.0, 1)
    page = await spool.read("default", Priority.NORMAL, 0, 3, 1 << 20)
    assert page.after >= keys[2]
    assert keys_of(page) + keys_of(await read_all(spool, page.after)) == [keys[5]]
    assert keys_of(await parked_all(spool, "c:ann")) == keys[:5]


async def test_empty_parked_lane_is_unparked(spool: Spool, row: Make, ended: End) -> None:
    (key,) = await spool.append([row("1", "ann")])
    await spool.park("default", "c:ann", [key], 10.0, 1)
    assert spool.usage().connections["default"].parked_lanes == 1
    await spool.settle([Settlement("default", [ended(key, "1")])])
    assert (await parked_all(spool, "c:ann", key)).rows == []
    assert spool.usage().connections["default"].parked_lanes == 1  # Read on from above a row: it may only be the end.
    assert (await parked_all(spool, "c:ann")).rows == []
    assert spool.usage().connections["default"].parked_lanes == 0
    assert await spool.due("default", 1e12, 10) == ([], 0.0)
    (later,) = await spool.append([row("2", "ann")])
    assert keys_of(await read_all(spool)) == [later]


async def test_lanes_are_due_in_the_order_of_their_times(spool: Spool) -> None:
    for name, due in (("late", 30.0), ("soon", 10.0), ("next", 20.0), ("far", 40.0)):
        await spool.park("default", name, [], due, 1)
    assert await spool.due("default", 5.0, 10) == ([], 10.0)
    assert await spool.due("default", 30.0, 10) == (["soon", "next", "late"], 40.0)
    assert await spool.due("default", 30.0, 2) == (["soon", "next"], 30.0)
    assert await spool.due("default", 99.0, 10) == (["soon", "next", "late", "far"], 0.0)
    await spool.park("default", "soon", [], 50.0, 2)
    assert await spool.due("default", 30.0, 10) == (["next", "late"], 40.0)
    assert await spool.due("other", 99.0, 10) == ([], 0.0)


async def test_parking_again_adds_new_rows(spool: Spool, row: Make, ended: End) -> None:
    keys = await spool.append([row(str(number), "ann") for number in range(4)])
    await spool.park("default", "c:ann", keys[:2], 10.0, 1)
    await spool.settle([Settlement("default", [ended(keys[0], "0")])])
    await spool.park("default", "c:ann", [keys[0], keys[1], keys[2]], 20.0, 5)
    page = await parked_all(spool, "c:ann")
    assert (keys_of(page), page.attempts) == (keys[1:3], 5)
    assert spool.usage().connections["default"].parked_lanes == 1
    assert spool.usage().connections["default"].normal == 3


async def test_parked_row_keeps_its_progress_and_its_contact(spool: Spool, row: Make, ended: End) -> None:
    progress, contact = pack(row("half")), pack(row("contact"))
    keys = await spool.append([row("1", "ann"), row("2", "ann")])
    await spool.settle([Settlement("default", (), [(keys[0], progress)], [CachedContact("c:ann", "i1", contact)])])
    await spool.park("default", "c:ann", keys, 10.0, 1)
    await spool.settle([Settlement("default", progress=[(keys[1], progress)])])
    page = await parked_all(spool, "c:ann")
    assert [each.progress for each in page.rows] == [progress, progress]
    assert page.contacts == {"c:ann": ContactEntry("i1", contact)}
    assert len(await spool.settle([Settlement("default", [ended(keys[0], "1")])])) == 1
    assert keys_of(await parked_all(spool, "c:ann")) == [keys[1]]


async def test_corrupt_parked_row_is_quarantined(spool: Spool, row: Make) -> None:
    keys = await spool.append([row("1", "ann", data=b"no record at all"), row("2", "ann")])
    await spool.park("default", "c:ann", keys, 10.0, 1)
    page = await parked_all(spool, "c:ann")
    assert (keys_of(page), len(page.corrupt)) == ([keys[1]], 1)
    assert (await parked_all(spool, "c:ann")).corrupt == ()


async def test_normal_rows_of_a_parked_lane_come_before_its_bulk_rows(spool: Spool, row: Make) -> None:
    bulk = await spool.append([row("1", "ann", priority=Priority.BULK)])
    normal = await spool.append([row("2", "ann")])
    await spool.park("default", "c:ann", bulk, 0.0, 1)
    assert (await read_all(spool)).rows == []
    page = await parked_all(spool, "c:ann")
    assert [(each.key, each.priority) for each in page.rows] == [
        (normal[0], Priority.NORMAL),
        (bulk[0], Priority.BULK),
    ]


async def test_lanes_of_two_connections_are_separate(open_engine: Open, row: Make) -> None:
    spool = await open_engine(connections=("eu", "us"))
    keys = await spool.append([row("1", "ann", connection="eu"), row("1", "ann", connection="us")])
    await spool.park("eu", "c:ann", [keys[0]], 0.0, 1)
    assert keys_of(await spool.read("us", Priority.NORMAL, 0, *ALL)) == [keys[1]]
    assert keys_of(await spool.parked("eu", "c:ann", 0, *ALL)) == [keys[0]]
    assert keys_of(await spool.parked("us", "c:ann", 0, *ALL)) == []
