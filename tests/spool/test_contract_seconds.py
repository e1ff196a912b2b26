"""Claims of event seconds: an append stores those of its rows, or reports the owners of taken ones and stores nothing.

The engines of one process leave conflicts to ingest, which allocates the seconds. PostgreSQL and a scripted engine find
them: several processes share these.
"""

from collections.abc import Callable

import pytest

from ingest.acceptance import SharedSpool
from intercomd_daemon.errors import SecondsTaken
from intercomd_daemon.spool.base import Intake, Spool
from intercomd_daemon.spool.rows import Incoming

Make = Callable[..., Incoming]
MINE, OTHERS = 1, 2
KEY = 1_000


@pytest.fixture(params=["engine of one process", "shared engine"])
def intake(request: pytest.FixtureRequest, spool: Spool) -> Intake:
    return spool if request.param == "engine of one process" else SharedSpool()


async def append_or_taken(intake: Intake, rows: list[Incoming]) -> list[int] | dict[int, int]:
    """Returns the keys of the rows, or the owners of the seconds that are taken."""
    try:
        return await intake.append(rows)
    except SecondsTaken as error:
        return dict(error.pairs)


async def test_append_repeats_the_claims_of_the_same_owner(intake: Intake, row: Make) -> None:
    """As a row without an id of its sender, or a repeat whose first delivery left the duplicate window."""
    await intake.append([row("a", seconds=((KEY, MINE), (KEY + 1, MINE)))])
    assert all(await intake.append([row("b", seconds=((KEY, MINE), (KEY + 1, MINE)))]))


async def test_append_stores_a_taken_second_or_reports_its_owner_and_stores_nothing(intake: Intake, row: Make) -> None:
    await intake.append([row("a", seconds=((KEY, MINE), (KEY + 1, MINE)))])
    rows = [row("b"), row("c", seconds=((KEY, OTHERS),)), row("d", seconds=((KEY + 9, OTHERS),))]
    result = await append_or_taken(intake, rows)
    if isinstance(result, dict):
        assert result == {KEY: MINE, KEY + 1: MINE}, "with the seconds that follow, so that one retry finds a free one"
        assert not isinstance(intake, SharedSpool) or intake.appends == [["a"]]
        free = [row("b"), row("c", seconds=((KEY + 2, OTHERS),)), row("d", seconds=((KEY + 9, OTHERS),))]
        result = await append_or_taken(intake, free)
    assert isinstance(result, list)
    assert len(result) == 3
    assert all(result)
