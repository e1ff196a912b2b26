"""What every engine promises of requests that agents forward, of its own id, and of small states."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest

from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.forwarded import KEPT_SECONDS, RECORDS_MAX, Forwarded
from intercomd_daemon.spool.rows import Incoming

DAY = 86_400.0


def forwarded(sequence: int = 1, data: bytes = b"results", **changes: str) -> Forwarded:
    names = {"caller": "edge", "agent_id": "agent-1", "connection": "default", **changes}
    return Forwarded(**names, sequence=sequence, data=data)


async def test_results_are_kept_with_the_places_of_duplicates(spool: Spool, row: Callable[..., Incoming]) -> None:
    await spool.append([row("1")])
    keys = await spool.append([row("2"), row("1"), row("3"), row("2")], forwarded())
    assert [bool(key) for key in keys] == [True, False, True, False]
    kept = await spool.forwarded("edge", "agent-1", "default")
    assert kept == Forwarded("edge", "agent-1", "default", 1, b"results", (1, 3))


async def test_results_of_a_later_request_replace_those_before(spool: Spool, row: Callable[..., Incoming]) -> None:
    await spool.append([row("1")], forwarded(1))
    assert await spool.append([], forwarded(2, b"none")) == []
    assert await spool.forwarded("edge", "agent-1", "default") == forwarded(2, b"none")


@pytest.mark.parametrize(
    "other", [("other", "agent-1", "default"), ("edge", "agent-2", "default"), ("edge", "agent-1", "eu"), ("", "", "")]
)
async def test_results_belong_to_one_caller_agent_and_connection(spool: Spool, other: tuple[str, str, str]) -> None:
    await spool.append([], forwarded())
    assert await spool.forwarded(*other) is None


async def test_several_requests_in_one_commit_keep_their_own_results(
    spool: Spool, row: Callable[..., Incoming]
) -> None:
    first = spool.append([row("1"), row("2")], forwarded(1))
    second = spool.append([row("2"), row("3")], forwarded(7, connection="eu"))
    assert [await first, await second][1][0] == 0
    kept = [await spool.forwarded("edge", "agent-1", name) for name in ("default", "eu")]
    assert [each and each.duplicates for each in kept] == [(), (0,)]


async def test_refused_append_keeps_no_results(
    open_engine: Callable[..., Awaitable[Spool]], row: Callable[..., Incoming]
) -> None:
    spool = await open_engine(bytes_max=2 << 20)
    with pytest.raises(SpoolFull):
        await spool.append([row("1", size=3 << 20)], forwarded())
    assert await spool.forwarded("edge", "agent-1", "default") is None


async def test_results_are_kept_for_90_days_whatever_the_duplicate_window(
    spool: Spool, row: Callable[..., Incoming], clock: SimpleNamespace
) -> None:
    await spool.append([row("1")], forwarded())
    clock.wall += KEPT_SECONDS - DAY
    await spool.append([row("2")])
    assert await spool.forwarded("edge", "agent-1", "default") == forwarded()
    clock.wall += DAY
    assert await spool.forwarded("edge", "agent-1", "default") is None
    await spool.append([row("3")], forwarded(9))
    assert await spool.forwarded("edge", "agent-1", "default") == forwarded(9)


@pytest.mark.fills("spool.forwarded.RECORDS_MAX")
async def test_results_that_were_not_used_for_longest_go_first(spool: Spool, clock: SimpleNamespace) -> None:
    for name in ("unused", "used"):
        await spool.append([], forwarded(agent_id=name))
    clock.wall += 1
    await spool.append([], forwarded(2, agent_id="used"))
    others = (spool.append([], forwarded(agent_id=f"agent-{number}")) for number in range(RECORDS_MAX - 1))
    await asyncio.gather(*others)
    names = ("unused", "used", "agent-0", f"agent-{RECORDS_MAX - 2}")
    kept = [await spool.forwarded("edge", name, "default") for name in names]
    assert [each.sequence if each else 0 for each in kept] == [0, 2, 1, 1]


async def test_states_are_replaced(spool: Spool) -> None:
    assert await spool.load_state("upstream") == b""
    await spool.save_state("upstream", b"one")
    await spool.save_state("upstream", b"two")
    assert await spool.load_state("upstream") == b"two"
    assert await spool.load_state("other") == b""


async def test_spool_has_an_id_of_its_own(spool: Spool, row: Callable[..., Incoming]) -> None:
    before = spool.usage().spool_id
    await spool.append([row("1")])
    assert len(before) == 36
    assert spool.usage().spool_id == before
