"""Fills one page of a list, reading in chunks, so that a page of large entries is never in memory as a whole."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from google.protobuf.message import Message

from intercomd_daemon.operations.page import ANSWER_BYTES_MAX

Entry = TypeVar("Entry")
Encoded = TypeVar("Encoded", bound=Message)


class Bounds(NamedTuple):
    """Bounds of one page."""

    page_size: int
    """Entries in the page."""
    chunk_max: int
    """Entries read at once."""


async def fill_page(
    read: Callable[[int, int], Awaitable[Sequence[Entry]]],
    encode: Callable[[Entry], Encoded],
    place_of: Callable[[Entry], int],
    place: int,
    bounds: Bounds,
) -> tuple[list[Encoded], int]:
    """Fills a page with the entries that `read` returns from `place` on, up to `bounds.page_size` and ANSWER_BYTES_MAX.

    Returns the messages and the place at which the next page starts, 0 at the end of the list. A page has at least one
    entry, however large.
    """
    page: list[Encoded] = []
    page_bytes = 0
    while True:
        chunk = min(bounds.chunk_max, bounds.page_size + 1 - len(page))
        entries = await read(place, chunk)
        for entry in entries:
            message = encode(entry)
            page_bytes += message.ByteSize()
            if len(page) == bounds.page_size or (page and page_bytes > ANSWER_BYTES_MAX):
                return page, place
            page.append(message)
            place = place_of(entry)
        if len(entries) < chunk:
            return page, 0
