"""One page of a list, read in bites, so that a page of large entries never stands in memory as a whole.

It knows the bounds of an answer, not what the entries are or in which order they come.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from google.protobuf.message import Message

from intercomd_daemon.operations.page import ANSWER_BYTES_MAX

Entry = TypeVar("Entry")
Encoded = TypeVar("Encoded", bound=Message)


class Bounds(NamedTuple):
    """How far one page goes."""

    page_size: int
    """Entries in the page."""
    bite_max: int
    """Entries read at once."""


async def fill_page(
    read: Callable[[int, int], Awaitable[Sequence[Entry]]],
    encode: Callable[[Entry], Encoded],
    place_of: Callable[[Entry], int],
    place: int,
    bounds: Bounds,
) -> tuple[list[Encoded], int]:
    """Fills a page with what `read` gives from `place` on, until it is long or large enough.

    Returns the messages, and the place from which the next page reads on; 0 where the list ends. One entry is always
    taken, however large.
    """
    page: list[Encoded] = []
    page_bytes = 0
    while True:
        bite = min(bounds.bite_max, bounds.page_size + 1 - len(page))
        entries = await read(place, bite)
        for entry in entries:
            message = encode(entry)
            page_bytes += message.ByteSize()
            if len(page) == bounds.page_size or (page and page_bytes > ANSWER_BYTES_MAX):
                return page, place
            page.append(message)
            place = place_of(entry)
        if len(entries) < bite:
            return page, 0
