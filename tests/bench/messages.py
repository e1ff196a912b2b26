"""Files of encoded messages, each after its length in 4 bytes, which other programs read and write, too."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

_LENGTH = struct.Struct("<I")


def write_messages(file: Path, encoded: Iterable[bytes]) -> None:
    """Writes encoded messages to a file."""
    file.write_bytes(b"".join(_LENGTH.pack(len(message)) + message for message in encoded))


def read_messages(file: Path) -> Iterator[bytes]:
    """Returns the encoded messages of a file."""
    data = file.read_bytes()
    start = 0
    while start < len(data):
        (size,) = _LENGTH.unpack_from(data, start)
        start += _LENGTH.size
        yield data[start : start + size]
        start += size
