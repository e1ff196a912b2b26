"""What every engine promises of appending, reading and settling."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import ShuttingDown, SpoolFull
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import (
    CachedContact,
    Completion,
    ContactEntry,
    DeadLetterFilter,
    Incoming,
    OutcomeFilter,
    Settlement,
    position_of,
)

Make = Callable[..., Incoming]
End = Callable[..., Completion]
Open = Callable[..., Awaitable[Spool]]

ALL = (1_000, 1 << 20)
MIB = 1 << 20


async def test_appended_rows_are_read_in_order(spool: Spool, row: Make) -> None:
    rows = [row(str(number), f"user {number % 3}") for number in range(10)]
    keys = await spool.append(rows[:4]) + await spool.append(rows[4:])
    batch = await spool.read("default", Priority.NORMAL, 0, *ALL)
    assert [(each.key, each.lane, each.data) for each in batch.rows] == [
        (key, sent.lane, sent.data) for key, sent in zip(keys, rows, strict=True)
    ]
    assert {(each.priority, each.progress) for each in batch.rows} == {(Priority.NORMAL, b"")}
    assert keys == sorted(keys)
    assert batch.after == keys[-1]


async def test_read_returns_pages_limited_by_rows_and_bytes(spool: Spool, row: Make) -> None:
    keys = await spool.append([row(str(number), size=1_000) for number in range(6)])
    first = await spool.read("default", Priority.NORMAL, 0, 2, MIB)
    second = await spool.read("default", Priority.NORMAL, first.after, 10, 2_500)
    third = await spool.read("default", Priority.NORMAL, second.after, 10, 1)
    assert [[each.key for each in batch.rows] for batch in (first, second, third)] == [keys[:2], keys[2:4], keys[4:5]]
    last = await spool.read("default", Priority.NORMAL, keys[-1], *ALL)
    assert (last.rows, last.after) == ([], keys[-1])


async def test_empty_log_returns_no_rows_and_the_same_position(spool: Spool) -> None:
    batch = await spool.read("default", Priority.NORMAL, 0, *ALL)
    assert (batch.rows, batch.contacts, batch.after, batch.corrupt) == ([], {}, 0, ())


async def test_logs_are_separate_and_share_one_count_of_positions(open_engine: Open, row: Make) -> None:
    spool = await open_engine(connections=("eu", "us"))
    sent = [("eu", Priority.BULK), ("us", Priority.NORMAL), ("eu", Priority.NORMAL), ("eu", Priority.BULK)]
    keys = await spool.append(
        [row(str(number), connection=name, priority=priority) for number, (name, priority) in enumerate(sent)]
    )
    assert [position_of(key) for key in keys] == [1, 2, 3, 4]
    for log in sent:
        batch = await spool.read(log[0], log[1], 0, *ALL)
        assert [each.key for each in batch.rows] == [key for key, other in zip(keys, sent, strict=True) if other == log]
    assert keys[2] < keys[0]


async def test_known_id_is_a_duplicate_within_its_connection(open_engine: Open, row: Make) -> None:
    spool = await open_engine(connections=("eu", "us"))
    uuid = "0197a8e0-0000-7000-8000-000000000001"
    first = await spool.append([row("x", connection="eu"), row(uuid, connection="eu"), row("x", connection="eu")])
    again = await spool.append([row(uuid, connection="eu"), row("y", connection="eu"), row("x", connection="us")])
    assert [key > 0 for key in first] == [True, True, False]
    assert [key > 0 for key in again] == [False, True, True]
    batch = await spool.read("eu", Priority.NORMAL, 0, *ALL)
    assert [each.key for each in batch.rows] == [first[0], first[1], again[1]]


async def test_row_without_a_senders_id_is_never_a_duplicate(spool: Spool, row: Make) -> None:
    keys = await spool.append([row("x", recognised=False), row("x", recognised=False), row("x")])
    assert all(keys)


async def test_id_stays_known_for_one_to_two_windows(
    open_engine: Open, row: Make, ended: End, clock: SimpleNamespace
) -> None:
    spool = await open_engine(duplicate_window_seconds=100.0)
    (key,) = await spool.append([row("x")])
    await spool.settle([Settlement("default", [ended(key, "x")])])
    for passed, known in ((99, True), (100, True), (199, True), (200, False)):
        clock.wall, clock.monotonic = 1_750_000_000.0 + passed, float(passed)
        await spool.append([row(f"other {passed}")])  # The window turns with a commit.
        (again,) = await spool.append([row("x")])
        assert (again == 0) is known


async def test_id_stays_known_while_its_envelope_waits(
    open_engine: Open, row: Make, ended: End, clock: SimpleNamespace
) -> None:
    spool = await open_engine(duplicate_window_seconds=100.0)
    keys = await spool.append([row("in the log", "ann"), row("parked", "bob"), row("gone", "cid")])
    await spool.park("default", "c:bob", [keys[1]], 0.0, 1)
    await spool.settle([Settlement("default", [ended(keys[2], "gone", "cid")])])
    for turn in range(1, 6):
        clock.wall, clock.monotonic = 1_750_000_000.0 + 101 * turn, 101.0 * turn
        await spool.append([row(f"turn {turn}")])
    again = await spool.append([row("in the log", "ann"), row("parked", "bob"), row("gone", "cid")])
    assert [key > 0 for key in again] == [False, False, True]


@pytest.mark.parametrize("jump", [(1e9, 0.0), (-1e9, 500.0), (0.0, 1e9)])
async def test_duplicate_window_survives_a_jump_of_either_clock(
    open_engine: Open, row: Make, ended: End, clock: SimpleNamespace, jump: tuple[float, float]
) -> None:
    spool = await open_engine(duplicate_window_seconds=100.0)
    (key,) = await spool.append([row("x")])
    await spool.settle([Settlement("default", [ended(key, "x")])])
    clock.wall += jump[0]
    clock.monotonic += jump[1]
    for number in range(4):
        await spool.append([row(f"other {number}")])
    assert await spool.append([row("x")]) == [0]


async def test_progress_is_kept_with_its_row_and_goes_with_it(spool: Spool, row: Make, ended: End) -> None:
    keys = await spool.append([row("a"), row("b")])
    progress = pack(row("half"))
    await spool.settle([Settlement("default", progress=[(keys[0], progress), (99, progress)])])
    batch = await spool.read("default", Priority.NORMAL, 0, *ALL)
    assert [each.progress for each in batch.rows] == [progress, b""]
    await spool.settle([Settlement("default", [ended(keys[0])], [(keys[0], progress)])])
    batch = await spool.read("default", Priority.NORMAL, 0, *ALL)
    assert [(each.key, each.progress) for each in batch.rows] == [(keys[1], b"")]


async def test_every_row_has_one_outcome_numbered_in_order(spool: Spool, row: Make, ended: End) -> None:
    keys = await spool.append([row("a"), row("b"), row("c")])
    first = await spool.settle([Settlement("default", [ended(keys[1], "b"), ended(keys[1], "b")])])
    second = await spool.settle([Settlement("default", [ended(keys[0], "a"), ended(keys[1], "b")])])
    third = await spool.settle([Settlement("default", [ended(keys[1], "b"), ended(12345, "never was")])])
    assert [(each.sequence, each.envelope_id) for each in first + second] == [(1, "b"), (2, "a")]
    assert third == []
    assert (await spool.outcomes_after(OutcomeFilter(), 0, 10))[0] == first + second
    assert spool.usage().connections["default"].normal == 1


async def test_contact_cache_holds_the_contact_of_a_lane(spool: Spool, row: Make) -> None:
    await spool.append([row("a", "ann"), row("b", "bob")])
    ann, more = pack(row("what is known")), pack(row("more"))

    async def known_after(*entries: CachedContact) -> dict[str, ContactEntry]:
        await spool.settle([Settlement("default", contacts=entries)])
        return (await spool.read("default", Priority.NORMAL, 0, *ALL)).contacts

    nothing = ContactEntry("", b"")
    assert await known_after() == {"c:ann": nothing, "c:bob": nothing}
    assert await known_after(CachedContact("c:ann", "i1", ann)) == {"c:ann": ContactEntry("i1", ann), "c:bob": nothing}
    both = await known_after(CachedContact("c:bob", "i1", more))
    assert both == {"c:ann": ContactEntry("i1", more), "c:bob": ContactEntry("i1", more)}
    assert await known_after(CachedContact("c:ann", "", b"")) == {"c:ann": nothing, "c:bob": ContactEntry("i1", more)}
    assert await known_after(CachedContact("c:bob", "i1", b"")) == {"c:ann": nothing, "c:bob": ContactEntry("i1", b"")}
    assert await known_after(CachedContact("c:bob", "i2", ann)) == {"c:ann": nothing, "c:bob": ContactEntry("i2", ann)}
    # A contact that no lane names is deleted, so a lane that gets it later finds nothing old.
    assert await known_after(CachedContact("c:ann", "i1", b"")) == {
        "c:ann": ContactEntry("i1", b""),
        "c:bob": ContactEntry("i2", ann),
    }


async def test_corrupt_row_is_quarantined_and_the_others_are_read(spool: Spool, row: Make) -> None:
    good = row("good")
    corrupted = good.data[:-1] + bytes([good.data[-1] ^ 1])
    keys = await spool.append([row("1"), row("2", data=corrupted), good])
    batch = await spool.read("default", Priority.NORMAL, 0, *ALL)
    assert [each.key for each in batch.rows] == [keys[0], keys[2]]
    assert len(batch.corrupt) == 1
    assert str(keys[1]) in batch.corrupt[0]
    (ended,) = batch.outcomes
    assert (ended.envelope_id, ended.customer_id, ended.reason) == ("2", "ann", "DAMAGED")
    assert ended.type is OutcomeType.DEAD_LETTERED
    assert (await spool.outcomes(OutcomeFilter(envelope_id="2"), 0, 10)) == [ended]
    assert await spool.dead_letters(DeadLetterFilter(), 0, 10) == []
    assert batch.after == keys[2]
    again = await spool.read("default", Priority.NORMAL, 0, *ALL)
    assert ([each.key for each in again.rows], again.corrupt) == ([keys[0], keys[2]], ())
    assert spool.usage().connections["default"].normal == 2


async def test_listeners_of_a_log_are_called_after_its_commit(open_engine: Open, row: Make) -> None:
    spool = await open_engine(connections=("eu", "us"))
    woken: asyncio.Queue[tuple[str, Priority]] = asyncio.Queue()
    for name in ("eu", "us"):
        spool.on_append(name, lambda priority, name=name: woken.put_nowait((name, priority)))
    await spool.append([row("1", connection="us", priority=Priority.BULK), row("2", connection="us")])
    assert {await woken.get(), await woken.get()} == {("us", Priority.BULK), ("us", Priority.NORMAL)}
    await spool.append([row("1", connection="us"), row("1", connection="eu")])
    assert await woken.get() == ("eu", Priority.NORMAL)
    assert woken.empty()


async def test_full_spool_refuses_whole_appends_until_rows_have_left(open_engine: Open, row: Make, ended: End) -> None:
    spool = await open_engine(bytes_max=MIB)
    keys = await spool.append([row(str(number), size=200_000) for number in range(5)])
    with pytest.raises(SpoolFull) as refused:
        await spool.append([row("small"), row("large", size=60_000)])
    assert 1.0 <= refused.value.retry_seconds <= 5.0
    assert "quota" in spool.usage().full_reason
    assert spool.usage().connections["default"].normal == 5
    await spool.settle([Settlement("default", [ended(keys[0], "0")])])
    assert spool.usage().full_reason == ""
    assert all(await spool.append([row("small"), row("large", size=60_000)]))


async def test_append_larger_than_the_quota_is_refused_alone(open_engine: Open, row: Make) -> None:
    spool = await open_engine(bytes_max=MIB)
    with pytest.raises(SpoolFull):
        await spool.append([row("huge", size=2 * MIB)])
    assert all(await spool.append([row("huge", size=10)]))


async def test_connections_of_new_settings_share_the_quota(open_engine: Open, row: Make) -> None:
    """An added one is guaranteed its part, a removed one no longer is; its waiting envelopes stay."""
    spool = await open_engine(connections=("eu", "us"), bytes_max=MIB)
    await spool.append([row("kept", connection="us", size=1_000)])
    await spool.set_connections(("eu", "au"))
    await spool.append([row(str(number), connection="eu", size=100_000) for number in range(7)])
    with pytest.raises(SpoolFull):
        await spool.append([row("much", connection="eu", size=100_000)])
    assert all(await spool.append([row(f"au {number}", connection="au", size=100_000) for number in range(2)]))
    assert spool.usage().connections["us"].normal == 1
    await spool.set_connections(("eu",))
    assert all(await spool.append([row("more", connection="eu", size=50_000)]))


async def test_each_connection_has_a_guaranteed_share(open_engine: Open, row: Make) -> None:
    spool = await open_engine(connections=("eu", "us"), bytes_max=MIB)
    for number in range(7):
        await spool.append([row(str(number), connection="eu", size=100_000)])
    with pytest.raises(SpoolFull):
        await spool.append([row("more", connection="eu", size=100_000)])
    assert all(await spool.append([row("1", connection="us", size=250_000)]))


async def test_usage_counts_rows_with_their_overhead(open_engine: Open, row: Make, ended: End) -> None:
    spool = await open_engine(connections=("eu", "us"))
    sent = row("1", connection="eu", priority=Priority.BULK)
    assert spool.usage().bytes == 0
    (key,) = await spool.append([sent])
    usage = spool.usage()
    assert (usage.bytes, usage.connections["eu"].bytes, usage.connections["eu"].bulk) == (row_bytes(sent.data),) * 2 + (
        1,
    )
    assert usage.connections["eu"].oldest_accept_time == 1_750_000_000.0
    assert usage.connections["us"].oldest_accept_time == 0.0
    outcomes = await spool.settle([Settlement("eu", [ended(key, "1", connection="eu")])])
    assert outcomes[0].type is OutcomeType.DELIVERED
    assert spool.usage().bytes == 0
    assert spool.usage().connections["eu"].oldest_accept_time == 0.0


async def test_closed_spool_raises_shutting_down(spool: Spool, row: Make) -> None:
    await spool.close()
    with pytest.raises(ShuttingDown):
        await spool.append([row("1")])
    with pytest.raises(ShuttingDown):
        await spool.read("default", Priority.NORMAL, 0, *ALL)
    with pytest.raises(ShuttingDown):
        await spool.outcomes(OutcomeFilter(), 0, 1)


async def test_cached_contacts_belong_to_the_workspace_of_their_connection(
    open_engine: Open, row: Make, ended: End
) -> None:
    """The first workspace is stored; a later other one deletes what is cached, of its own connection only."""
    spool = await open_engine(connections=("eu", "us"))
    for name in ("eu", "us"):
        keys = await spool.append([row("1", connection=name), row("2", connection=name)])
        contact = CachedContact("c:ann", f"id of {name}", pack({"plan": "pro"}))
        await spool.settle([Settlement(name, [ended(keys[0], "1", connection=name)], contacts=[contact])])
    assert await spool.set_workspaces({"eu": "one", "us": "two"}) == []
    assert await spool.set_workspaces({"eu": "one", "us": "two"}) == []
    assert await spool.set_workspaces({"eu": "three", "us": "two"}) == ["eu"]
    cached = {}
    for name in ("eu", "us"):
        batch = await spool.read(name, Priority.NORMAL, 0, *ALL)
        cached[name] = batch.contacts["c:ann"].contact_id
    assert cached == {"eu": "", "us": "id of us"}
    assert await spool.set_workspaces({"eu": "three"}) == []
