"""Decodes the rows of a table's leaf page by SQLite's published file format; rows that make no sense are skipped."""

from collections.abc import Callable, Iterator
from struct import error as unpack_error
from struct import unpack_from

PAGE_BYTES = 4096
"""The page size of every spool."""
Value = int | float | str | bytes | None
Record = tuple[int, list[Value]]
"""The row's number, and its columns; the column that is the number is None."""

_TABLE_LEAF = 0x0D
_HEADER_BYTES = 100
"""The file's header, before the first page's own."""
_PAYLOAD_BYTES_MAX = 1 << 26
"""Far more than our largest record."""
# "X is U-35 [...] M is ((U-12)*32/255)-23 and K is M+((P-M)%(U-4))": how much of a payload a cell itself holds.
_LOCAL_MAX = PAGE_BYTES - 35
_LOCAL_MIN = (PAGE_BYTES - 12) * 32 // 255 - 23
_OVERFLOW_BYTES = PAGE_BYTES - 4
# Serial types 1 to 6: big-endian signed integers of this many bytes.
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)

Read = Callable[[int], bytes]


def leaf_rows(page: bytes, number: int, read: Read) -> Iterator[Record]:
    """Returns the rows of a page, or no rows if it is not a table leaf; `read` returns other pages by number."""
    start = _HEADER_BYTES if number == 1 else 0
    if len(page) < PAGE_BYTES or page[start] != _TABLE_LEAF:
        return
    count = min(unpack_from(">H", page, start + 3)[0], PAGE_BYTES // 4)
    for place in range(count):
        try:
            (offset,) = unpack_from(">H", page, start + 8 + 2 * place)
            yield _row(page, offset, read)
        except (IndexError, unpack_error, ValueError):
            continue


def _row(page: bytes, offset: int, read: Read) -> Record:
    size, offset = _varint(page, offset)
    key, offset = _varint(page, offset)
    if size > _PAYLOAD_BYTES_MAX:
        raise ValueError("the payload is too large")
    return key - (1 << 64 if key >> 63 else 0), _columns(_payload(page, offset, size, read))


def _payload(page: bytes, offset: int, size: int, read: Read) -> bytes:
    if size <= _LOCAL_MAX:
        return page[offset : offset + size]
    local = _LOCAL_MIN + (size - _LOCAL_MIN) % _OVERFLOW_BYTES
    local = local if local <= _LOCAL_MAX else _LOCAL_MIN
    parts = [page[offset : offset + local]]
    (following,) = unpack_from(">I", page, offset + local)
    left = size - local
    while left > 0:
        overflow = read(following)
        (following,) = unpack_from(">I", overflow)
        parts.append(overflow[4 : 4 + left])
        left -= _OVERFLOW_BYTES
    return b"".join(parts)


def _columns(payload: bytes) -> list[Value]:
    header_bytes, place = _varint(payload, 0)
    columns: list[Value] = []
    offset = header_bytes
    while place < header_bytes:
        kind, place = _varint(payload, place)
        value, offset = _value(payload, offset, kind)
        columns.append(value)
    return columns


def _value(payload: bytes, offset: int, kind: int) -> tuple[Value, int]:
    """Returns the value of a serial type, and the offset of the next value."""
    if kind in {0, 8, 9}:
        return {0: None, 8: 0, 9: 1}[kind], offset
    size = (kind - 12) // 2 if kind >= 12 else 8 if kind == 7 else _INTEGER_BYTES[kind]
    content = payload[offset : offset + size]
    if len(content) < size:
        raise ValueError("the value is cut off")
    value: Value = content
    if kind < 7:
        value = int.from_bytes(content, "big", signed=True)
    elif kind == 7:
        (value,) = unpack_from(">d", content)
    elif kind % 2:
        value = content.decode(errors="replace")
    return value, offset + size


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Returns a number of up to 9 bytes, and the offset behind it."""
    number = 0
    for count in range(8):
        byte = content[place + count]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, place + count + 1
    return number << 8 | content[place + 8], place + 9
