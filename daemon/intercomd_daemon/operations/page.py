"""Page sizes and page tokens of the list calls.

Pure. A token is opaque to clients: it holds the place at which the next page starts and a checksum of list and filter.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import blake2b

import msgspec

from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.spool.rows import DeadLetterFilter, OutcomeFilter
from intercomd_daemon.spool.trail import TrailFilter

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 1000
"""Entries in a page, as documented in operations.proto."""
ANSWER_BYTES_MAX = 1 << 20
"""Encoded entries of one response: a quarter of what a gRPC client accepts by default (4 MiB)."""

Scope = OutcomeFilter | DeadLetterFilter | TrailFilter | tuple[DeadLetterFilter, str]
"""What a list is of: its filter, and its order where it has several."""

_PLACE = struct.Struct(">q")
_CHECKSUM_BYTES = 10


def page_size_of(requested: int) -> int:
    """Returns the number of entries for a page; 0 requests the default.

    Raises:
        RequestRefused: the requested size is negative.
    """
    if requested < 0:
        expected = f"expected 0 (the default, {PAGE_SIZE_DEFAULT}) to {PAGE_SIZE_MAX}"
        raise RequestRefused("page_size", f"page_size {requested} is negative: {expected}")
    return min(requested or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def token_of(wanted: Scope, *places: int) -> str:
    """Returns the token of the page after these places in the list of `wanted`; "" if all are 0, the end of the list.

    Most lists have one place; a list that is merged from several has one for each.
    """
    if not any(places):
        return ""
    packed = b"".join(map(_PLACE.pack, places))
    return urlsafe_b64encode(packed + _checksum(wanted, packed)).decode("ascii")


def place_of(wanted: Scope, token: str) -> int:
    """Returns the place at which the page of a token starts; 0 for "", the first page.

    Raises:
        RequestRefused: the token does not belong to this list and filter.
    """
    return places_of(wanted, token, 1)[0]


def places_of(wanted: Scope, token: str, count: int) -> tuple[int, ...]:
    """Returns the places at which the page of a token starts; zeros for "", the first page.

    Raises:
        RequestRefused: the token does not belong to this list and filter.
    """
    if not token:
        return (0,) * count
    try:
        data = urlsafe_b64decode(token.encode("ascii"))
    except (UnicodeEncodeError, Error):
        data = b""
    packed, checksum = data[: count * _PLACE.size], data[count * _PLACE.size :]
    if checksum != _checksum(wanted, packed):
        raise RequestRefused(
            "page_token",
            "page_token does not belong to this list and filter: pass next_page_token with the same filter",
        )
    return tuple(place for (place,) in _PLACE.iter_unpack(packed))


def _checksum(wanted: Scope, packed: bytes) -> bytes:
    scope = msgspec.msgpack.encode((type(wanted).__name__, wanted))
    return blake2b(scope + packed, digest_size=_CHECKSUM_BYTES).digest()
