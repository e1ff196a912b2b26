"""The seal of a row: a checksum of what its record does not say, such as whose it is, so that no rot gives it away.

A record has a checksum of its own. A seal covers the columns of the first minor version alone, as its release checks
it too: a column that is added later needs another one.
"""

from zlib import crc32

import msgspec

_encode = msgspec.msgpack.Encoder().encode

STAMP_BYTES = 5
"""Of a record: its version and checksum, which stand for all of it."""


def seal(*columns: object) -> int:
    """The seal of these values, in this order, as SQLite gives them back."""
    return crc32(_encode(columns))
