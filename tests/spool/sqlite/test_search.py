"""What is found is part of every engine's contract, see `test_contract_trail.py`."""

import asyncio
from collections.abc import Callable
from typing import Any

from intercomd_daemon.spool.rows import Completion, Incoming, Settlement, position_of
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from intercomd_daemon.spool.sqlite.fingerprints import SEARCHED_PER_COMMIT
from intercomd_daemon.spool.sqlite.search import find_waiting
from intercomd_daemon.spool.trail import TrailFilter

ANN = TrailFilter(customer_id="ann")


async def test_rows_are_found_newest_first_below_a_position(
    settings: SqliteSettings, row: Callable[..., Incoming]
) -> None:
    spool = await open_spool(settings)
    keys = await spool.append([row(str(number)) for number in range(5)])
    assert await find_waiting(spool._writer.perform, ANN, 0, 9) == keys[::-1]
    assert await find_waiting(spool._writer.perform, ANN, position_of(keys[3]), 2) == [keys[2], keys[1]]
    await spool.close()


async def test_rows_that_wait_throughout_are_found_once_whatever_happens_between_two_steps(
    settings: SqliteSettings, row: Callable[..., Incoming], ended: Callable[..., Completion]
) -> None:
    """Rows are appended, parked and settled between them; rows of ann are at both ends of each step."""
    spool = await open_spool(settings)
    count = 3 * SEARCHED_PER_COMMIT
    of_ann = {0, count // 3 - 1, count // 3, count // 2, count - SEARCHED_PER_COMMIT, count - 1}
    keys = await spool.append([row(f"{place}", "ann" if place in of_ann else "bob") for place in range(count)])
    waiting = [keys[place] for place in sorted(of_ann, reverse=True)]
    steps = 0

    async def perform(step: Callable[..., Any]) -> object:
        nonlocal steps
        steps += 1
        found = await spool._writer.perform(step)
        if steps == 1:
            await spool.append([row("new")])
            await spool.park("default", "c:ann", [waiting[0], waiting[3], waiting[5]], 0.0, 1)
        if steps == 2:
            await spool.settle([Settlement("default", [ended(waiting[5], "0")])])
        return found

    assert await find_waiting(perform, ANN, 0, 100) == waiting[:5]
    assert steps == 3
    await spool.close()


async def test_searches_take_turns(settings: SqliteSettings) -> None:
    """No commit holds steps of two."""
    spool = await open_spool(settings)
    transactions = await asyncio.gather(*(spool._search(lambda transaction: transaction) for _ in range(4)))
    assert len({id(each) for each in transactions}) == 4
    together = await asyncio.gather(*(spool._writer.perform(lambda transaction: transaction) for _ in range(4)))
    assert len({id(each) for each in together}) == 1
    await spool.close()
