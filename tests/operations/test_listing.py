"""Filling a page from a list that is read in chunks."""

import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from intercomd_daemon.operations.listing import Bounds, fill_page
from intercomd_daemon.operations.page import ANSWER_BYTES_MAX


class Shelf:
    """Numbered entries, each as large as it says; remembers how many were asked for at once."""

    def __init__(self, *sizes: int) -> None:
        self.entries = list(enumerate(sizes, 1))
        self.chunks: list[int] = []

    async def read(self, place: int, limit: int) -> list[tuple[int, int]]:
        self.chunks.append(limit)
        return [entry for entry in self.entries if entry[0] > place][:limit]

    async def page(self, place: int, page_size: int, chunk_max: int = 4) -> tuple[int, int]:
        """How many entries the page has, and where the next begins."""
        messages, following = await fill_page(
            self.read,
            lambda entry: BytesValue(value=bytes(entry[1])),
            lambda entry: entry[0],
            place,
            Bounds(page_size, chunk_max),
        )
        return len(messages), following


@pytest.mark.parametrize(
    ("entries", "place", "page_size", "page"),
    [
        (0, 0, 5, (0, 0)),
        (3, 0, 5, (3, 0)),
        (5, 0, 5, (5, 0)),
        (6, 0, 5, (5, 5)),
        (6, 5, 5, (1, 0)),
        (12, 0, 12, (12, 0)),
        (13, 0, 12, (12, 12)),
        (3, 0, 1, (1, 1)),
    ],
)
async def test_page_ends_with_its_size_or_the_list(
    entries: int, place: int, page_size: int, page: tuple[int, int]
) -> None:
    assert await Shelf(*[1] * entries).page(place, page_size) == page


@pytest.mark.fills("operations.page.ANSWER_BYTES_MAX")
async def test_page_ends_before_it_grows_too_large() -> None:
    shelf = Shelf(*[ANSWER_BYTES_MAX // 3] * 5)
    assert await shelf.page(0, 100) == (2, 2)
    assert await shelf.page(2, 100) == (2, 4)
    assert await shelf.page(4, 100) == (1, 0)


async def test_entry_that_is_too_large_alone_is_a_page() -> None:
    shelf = Shelf(2 * ANSWER_BYTES_MAX, 1)
    assert await shelf.page(0, 100) == (1, 1)
    assert await shelf.page(1, 100) == (1, 0)


async def test_chunk_is_bounded_by_the_page_and_the_limit() -> None:
    shelf = Shelf(*[1] * 20)
    await shelf.page(0, 6, chunk_max=4)
    assert shelf.chunks == [4, 3]
