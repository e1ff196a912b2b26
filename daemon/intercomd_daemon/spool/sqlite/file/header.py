"""The file's header, checked before SQLite acts on it: whether the file is a spool, and whether the header is intact.

By SQLite's published format. One flipped bit here makes SQLite take the file for another one, or rearrange it.
"""

from pathlib import Path

APPLICATION_ID = 0x49434D44  # "ICMD": what `file` shows, and what tells our database from another program's.
# "Offset 68, 4 bytes: the application ID set by PRAGMA application_id."
_MARK = slice(68, 72)
# "Offset 60, 4 bytes: the user version as read and set by the user_version pragma."
_VERSION = slice(60, 64)
# "Offset 40, 4 bytes: the schema cookie", which changes with each table that is created.
_SCHEMA_COOKIE = slice(40, 44)
_HEADER_BYTES = 100
_HEAD_BYTES = 256 * 1024
"""The part of the file that holds the tables' definitions."""
_DESCRIBED = b"CREATE TABLE recent_0 ("
# The fields that are the same in every spool: "the header string", page size, file format versions (which say whether
# a file has a rollback journal or a write-ahead log), no reserved space, payload fractions; then schema format, no
# cache size, no auto-vacuum, UTF-8; no incremental vacuum; and "reserved for expansion. Must be zero".
_MAGIC = b"SQLite format 3\0"
_SINCE_TABLES = slice(32, 92)
_SAME = (
    (0, {_MAGIC}),
    (16, {b"\x10\0"}),
    (18, {b"\1\1", b"\2\2"}),
    (20, {b"\0\x40\x20\x20"}),
    (44, {bytes.fromhex("00000004 00000000 00000000 00000001")}),
    (64, {bytes(4)}),
    (72, {bytes(20)}),
)


def is_ours(path: str) -> bool:
    """Whether a file, which SQLite may be unable to read, is a spool, by its application id or its tables."""
    head = _head(path)
    cut_off = len(head) < _HEADER_BYTES and _MAGIC.startswith(head[: len(_MAGIC)])
    return cut_off or head[_MARK] == APPLICATION_ID.to_bytes(4, "big") or _DESCRIBED in head


def is_sound(path: str) -> bool:
    """Whether the header is intact; true for an empty file and for one that is not ours.

    Until the write-ahead log is first copied back, the file has the header of its creation, from before any table.
    """
    head = _head(path)
    if not head or not is_ours(path):
        return True
    if len(head) < _HEADER_BYTES:
        return False
    if not any(head[_SINCE_TABLES]) and Path(path + "-wal").exists():
        return True
    return all(any(head.startswith(each, place) for each in expected) for place, expected in _SAME)


def foreign(path: str) -> str:
    """Returns why a file is not a spool's; empty if it is, if it is empty, or a database without tables as yet."""
    head = _head(path)
    new = head.startswith(_MAGIC) and head[_MARK] == bytes(4) and head[_SCHEMA_COOKIE] == bytes(4)
    return "" if not head or new or is_ours(path) else foreign_message(path)


def foreign_message(path: str) -> str:
    """Returns the message for a file of another program."""
    return f"{path} is another program's file; set spool.url to another file"


def version(path: str) -> int:
    """Returns the version that `schema` wrote, as far as the header has it: 0 until the log is first copied back."""
    return int.from_bytes(_head(path)[_VERSION], "big")


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(_HEAD_BYTES)
