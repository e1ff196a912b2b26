"""Settlements of two daemons: outcomes are numbered in the order of the commits, one for each row."""

import asyncio
from collections.abc import Awaitable, Callable

from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Completion, Incoming, OutcomeFilter, Settlement


async def test_row_that_two_settlements_complete_has_one_outcome(
    open_daemon: Callable[..., Awaitable[PostgresqlSpool]],
    row: Callable[..., Incoming],
    ended: Callable[..., Completion],
) -> None:
    one, two = await open_daemon(), await open_daemon()
    keys = await one.append([row(str(number)) for number in range(50)])
    ends = [ended(key, str(number)) for number, key in enumerate(keys)]
    first, second = await one.acquire("w"), await two.acquire("other")
    results = await asyncio.gather(
        *(
            outflow.settle([Settlement("default", ends[n : n + 10])])
            for n in range(0, 50, 5)
            for outflow in (first, second)
        )
    )
    outcomes = [outcome for result in results for outcome in result]
    assert sorted(each.envelope_id for each in outcomes) == sorted(str(number) for number in range(50))
    listed, _ = await two.outcomes_after(OutcomeFilter(), 0, 100)
    assert [each.sequence for each in listed] == list(range(1, 51))
