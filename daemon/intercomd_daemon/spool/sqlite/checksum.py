"""The row checksum covers columns beside the record, such as the lane: no corruption assigns a row to another user.

A record has a checksum of its own. The row checksum (column `seal`) covers the columns of the first minor version, as
that release checks it too; a column added later needs another checksum.
"""

from zlib import crc32

import msgspec

_encode = msgspec.msgpack.Encoder().encode

RECORD_STAMP_BYTES = 5
"""A record's version and checksum, in place of the whole record."""


def row_checksum(*columns: object) -> int:
    """Returns the checksum of these values in this order, as SQLite returns them."""
    return crc32(_encode(columns))
