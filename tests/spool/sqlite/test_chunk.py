"""A search in steps."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from intercomd_daemon.spool.sqlite.chunk import Chunk, collect


def read(steps: SimpleNamespace, wanted: str, start: int, limit: int) -> Chunk[int]:
    """Reads a table of the numbers from 1 to 6 in chunks of three."""
    steps.taken.append((wanted, start, limit))
    found = [1, 2, 3, 4, 5, 6][start : start + min(3, limit)]
    return Chunk(found, found[-1] % 6)


@pytest.mark.parametrize(
    ("limit", "found", "steps"),
    [
        (0, [], []),
        (2, [1, 2], [(0, 2)]),
        (4, [1, 2, 3, 4], [(0, 4), (3, 1)]),
        (9, [1, 2, 3, 4, 5, 6], [(0, 9), (3, 6)]),
    ],
)
async def test_search_ends_with_the_limit_or_the_table(
    limit: int, found: list[int], steps: list[tuple[int, int]]
) -> None:
    taken = SimpleNamespace(taken=[])

    async def perform(step: Callable[[SimpleNamespace], Chunk[int]]) -> Chunk[int]:
        return step(taken)

    assert await collect(perform, read, "wanted", 0, limit) == found
    assert taken.taken == [("wanted", *step) for step in steps]
