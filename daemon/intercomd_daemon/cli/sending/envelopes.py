"""From a line of proto3 JSON to an envelope, or to the reason why it is none. Pure."""

import json

from google.protobuf.json_format import Parse, ParseError

from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.cli.sending.lines import LINE_BYTES_MAX
from intercomd_daemon.cli.words import size

_BOM = b"\xef\xbb\xbf"


class Unreadable(ValueError):
    """The line is no envelope; the message says why."""


def read_envelope(text: bytes | None) -> Envelope:
    """The envelope of a line; field names may be written as in the contract or in lowerCamelCase.

    Raises:
        Unreadable: it is too long, not UTF-8, no JSON object, or has a field that no envelope has.
    """
    if text is None:
        raise Unreadable(f"longer than {size(LINE_BYTES_MAX)}: write one envelope a line")
    try:
        decoded = text.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start} is not UTF-8") from None
    if not decoded.startswith("{"):
        raise Unreadable("not a JSON object: write one envelope a line, in braces")
    try:
        return Parse(decoded, Envelope())
    except (ParseError, RecursionError) as error:
        raise Unreadable(_reason(decoded, str(error))) from None


def _reason(text: str, said: str) -> str:
    """What the parser said, in one line; JSON that is none is named by place."""
    try:
        json.loads(text)
    except RecursionError:
        return "nested deeper than any envelope is"
    except ValueError as error:
        place = getattr(error, "pos", None)
        where = f" at character {place + 1}" if place is not None else ""
        return f"not JSON: {getattr(error, 'msg', error)}{where}"
    return said.split("\n", maxsplit=1)[0].rstrip(" .")
