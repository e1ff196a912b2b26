"""Pages of a list: how long one may be, and the token that asks for the next.

Pure. A token holds where to read on, bound to its list and filter; to its holder it is opaque.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import blake2b

import msgspec

from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.spool.base import DeadLetterFilter, OutcomeFilter

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 1000
"""Entries; as operations.proto says."""
ANSWER_BYTES_MAX = 1 << 20
"""Of the entries of one answer, encoded: a quarter of what a gRPC client takes by default (4 MiB)."""

_PLACE = struct.Struct(">q")
_SEAL_BYTES = 10


def page_size_of(asked: int) -> int:
    """How many entries the answer may hold.

    Raises:
        RequestRefused: less than none were asked for.
    """
    if asked < 0:
        raise RequestRefused("page_size", f"{asked} is negative; 0 asks for {PAGE_SIZE_DEFAULT}")
    return min(asked or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def token_of(wanted: OutcomeFilter | DeadLetterFilter, place: int) -> str:
    """The token that asks for what comes after `place` in the list of `wanted`; empty for 0, the list's end."""
    if not place:
        return ""
    packed = _PLACE.pack(place)
    return urlsafe_b64encode(packed + _seal(wanted, packed)).decode("ascii")


def place_of(wanted: OutcomeFilter | DeadLetterFilter, token: str) -> int:
    """Where a token says to read on; 0 for the empty one, the list's beginning.

    Raises:
        RequestRefused: the token is not one of this list and filter.
    """
    if not token:
        return 0
    try:
        data = urlsafe_b64decode(token.encode("ascii"))
    except (UnicodeEncodeError, Error):
        data = b""
    packed, seal = data[: _PLACE.size], data[_PLACE.size :]
    if seal != _seal(wanted, packed):
        raise RequestRefused("page_token", "is not a token of this list; pass next_page_token with the same filter")
    place: int = _PLACE.unpack(packed)[0]
    return place


def _seal(wanted: OutcomeFilter | DeadLetterFilter, packed: bytes) -> bytes:
    scope = msgspec.msgpack.encode((type(wanted).__name__, wanted))
    return blake2b(scope + packed, digest_size=_SEAL_BYTES).digest()
