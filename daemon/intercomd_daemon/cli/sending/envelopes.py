"""Parses lines of proto3 JSON into envelopes, and derives ids for those that have none."""

import json
import sqlite3
from hashlib import blake2b
from uuid import UUID

from google.protobuf.json_format import Parse, ParseError

from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.cli.format import byte_size
from intercomd_daemon.cli.sending.lines import LINE_BYTES_MAX

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_ID_CACHE_KIB = 16 * 1024
_VERSION_8 = 0x8 << 76
_VARIANT = 0b10 << 62
_VERSION_BITS = 0xF << 76
_VARIANT_BITS = 0b11 << 62


class UnreadableLine(ValueError):
    """The line is not an envelope; the message says why."""


def parse_envelope(text: bytes | None) -> Envelope:
    """Returns the envelope in a line, with field names in snake_case or lowerCamelCase.

    Raises:
        UnreadableLine: the line is too long, not UTF-8, not a JSON object, or has an unknown or invalid field.
    """
    if text is None:
        raise UnreadableLine(f"longer than {byte_size(LINE_BYTES_MAX)}: write one envelope per line")
    try:
        decoded = text.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        raise UnreadableLine(f"byte {error.start} is not UTF-8") from None
    if not decoded.startswith("{"):
        raise UnreadableLine("not a JSON object: write one envelope per line, in braces")
    try:
        return Parse(decoded, Envelope())
    except (ParseError, RecursionError) as error:
        raise UnreadableLine(_explain_parse_error(decoded, str(error))) from None


def _explain_parse_error(text: str, message: str) -> str:
    """Returns the parser's message in one line; for invalid JSON, what is wrong and at which character."""
    try:
        json.loads(text)
    except RecursionError:
        return "nested deeper than any envelope"
    except ValueError as error:
        position = getattr(error, "pos", None)
        where = f" at character {position + 1}" if position is not None else ""
        return f"not JSON: {getattr(error, 'msg', error)}{where}"
    return message.split("\n", maxsplit=1)[0].rstrip(" .")


class StableIds:
    """Derives the same ids from the same lines, so that sending a file twice delivers nothing twice.

    An id depends on the text of the line and on the number of equal lines before it, not on the file's name or on other
    lines: two equal lines are two envelopes, and a file that is sent again consists of duplicates. The counts are in a
    temporary SQLite file, so that memory does not grow with the input.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{_ID_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE lines (digest BLOB PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID")

    def next_id(self, line: bytes) -> str:
        """Returns the id of the next line; call it once for each line, in order."""
        digest = blake2b(line, digest_size=16).digest()
        (count,) = self._database.execute(
            "INSERT INTO lines VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count", (digest,)
        ).fetchone()
        return derive_id(digest, count)

    def close(self) -> None:
        """Deletes the temporary file."""
        self._database.close()


def derive_id(digest: bytes, count: int) -> str:
    """Returns a UUIDv8, "for … vendor-specific use cases" (RFC 9562, 5.8), with 122 bits of a hash."""
    hashed = int.from_bytes(blake2b(digest + count.to_bytes(8), digest_size=16).digest())
    return str(UUID(int=hashed & ~_VERSION_BITS & ~_VARIANT_BITS | _VERSION_8 | _VARIANT))
