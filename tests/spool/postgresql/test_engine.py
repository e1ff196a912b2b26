"""Daemons that share one spool: what one accepts, another knows, finds and delivers."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.errors import SecondsTaken
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Completion, DeadLetterFilter, Incoming, OutcomeFilter, Settlement
from intercomd_daemon.spool.trail import TrailFilter

Open = Callable[..., Awaitable[PostgresqlSpool]]
Make = Callable[..., Incoming]
End = Callable[..., Completion]
ALL = (1_000, 1 << 20)


async def test_envelopes_of_all_daemons_are_delivered_in_commit_order(open_daemon: Open, row: Make, ended: End) -> None:
    one, two = await open_daemon(), await open_daemon()
    keys = [key for number in range(4) for key in await (one, two)[number % 2].append([row(str(number))])]
    assert keys == sorted(keys)
    outflow = await one.acquire("workspace")
    batch = await outflow.read("default", Priority.NORMAL, 0, *ALL)
    assert [each.key for each in batch.rows] == keys
    outcomes = await outflow.settle([Settlement("default", [ended(key, str(n)) for n, key in enumerate(keys)])])
    assert await two.outcomes(OutcomeFilter(), 0, 10) == outcomes[::-1]


async def test_id_that_another_daemon_accepted_is_a_duplicate(open_daemon: Open, row: Make) -> None:
    one, two = await open_daemon(), await open_daemon()
    appends = await asyncio.gather(*(each.append([row("x"), row(f"own {n}")]) for n, each in enumerate((one, two))))
    assert sorted(bool(keys[0]) for keys in appends) == [False, True]
    assert all(keys[1] for keys in appends)


async def test_second_of_another_daemon_is_taken(open_daemon: Open, row: Make) -> None:
    one, two = await open_daemon(), await open_daemon()
    await one.append([row("a", seconds=((7, 1), (8, 1)))])
    with pytest.raises(SecondsTaken) as taken:
        await two.append([row("b", seconds=((7, 2),))])
    assert sorted(taken.value.pairs) == [(7, 1), (8, 1)]
    await two.append([row("b", seconds=((9, 2),))])
    assert await (await open_daemon()).seconds() == [(7, 1), (8, 1), (9, 2)]


async def test_owner_is_woken_by_another_daemons_append(open_daemon: Open, row: Make) -> None:
    one, two = await open_daemon(), await open_daemon()
    woken: asyncio.Queue[Priority] = asyncio.Queue()
    (await one.acquire("workspace")).on_append("default", woken.put_nowait)
    await two.append([row("a", priority=Priority.BULK)])
    assert await woken.get() is Priority.BULK


async def test_any_daemon_finds_lists_replays_and_pauses(open_daemon: Open, row: Make, ended: End) -> None:
    one, two = await open_daemon(), await open_daemon()
    keys = await one.append([row("a"), row("b", "bob")])
    outflow = await one.acquire("workspace")
    await outflow.settle([Settlement("default", [ended(keys[0], "a", reason="REFUSED")])])
    assert await two.find_waiting(TrailFilter(customer_id="bob"), 0, 10) == keys[1:]
    (letter,) = await two.dead_letters(DeadLetterFilter(), 0, 10)
    assert letter.outcome.sequence == letter.dead_letter_id == 1
    assert await two.replay(DeadLetterFilter(), 1) == 1
    batch = await outflow.read("default", Priority.NORMAL, 0, *ALL)
    assert [each.lane for each in batch.rows] == ["c:bob", "c:ann"]
    await two.set_paused("default", paused=True)
    assert await one.paused() == frozenset({"default"})


async def test_texts_may_contain_any_character(open_daemon: Open, row: Make) -> None:
    """PostgreSQL's text cannot hold U+0000."""
    spool = await open_daemon()
    strange = "a\0b\u2028'\"\\"
    assert all(await spool.append([row(strange, lane=f"c:{strange}")]))
    assert await spool.append([row(strange, lane=f"c:{strange}")]) == [0]
    batch = await (await spool.acquire("w")).read("default", Priority.NORMAL, 0, *ALL)
    assert [each.lane for each in batch.rows] == [f"c:{strange}"]


async def test_connection_of_another_daemon_gets_one_number(open_daemon: Open, row: Make) -> None:
    one, two = await open_daemon(connections=("a", "b")), await open_daemon(connections=("c", "b"))
    keys = await one.append([row("1", connection="b")])
    assert await two.append([row("1", connection="b")]) == [0]
    batch = await (await two.acquire("w")).read("b", Priority.NORMAL, 0, *ALL)
    assert [each.key for each in batch.rows] == keys


async def test_state_and_results_survive_the_daemon(open_daemon: Open, clock: SimpleNamespace) -> None:
    one = await open_daemon()
    await one.save_state("agent", b"1")
    await one.close()
    clock.wall += 1
    assert await (await open_daemon()).load_state("agent") == b"1"
