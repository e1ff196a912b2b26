"""Finds fields that this release does not know, and rejects the envelope or reports them as dropped.

"An unknown field numbered below 100 in Envelope or Identity → REJECTED UNSUPPORTED_FIELD; from 100, or elsewhere →
ACCEPTED with FIELD_IGNORED." Every field of the first kind is reported; of the others the first hundred.
"""

from collections.abc import Iterator
from itertools import islice, takewhile

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.limits import (
    EVENT_ATTRIBUTES_READ_MAX,
    UNKNOWN_FIELDS_LISTED_MAX,
    USER_ATTRIBUTES_READ_MAX,
)

_OPTIONAL_NUMBER_MIN = 100
"""By the proto's numbering, a smaller number in an envelope or an identity may change the meaning."""
_STRICT_PATHS = frozenset({"", "identity"})
_LISTED_BYTES_MAX = 16 * 1024
"""The known fields of a request, without its envelopes, take far less; unknown fields beyond it are not listed."""
_UNKNOWN = "unknown field {}: dropped; upgrade the daemon to use it"
_MORE = f"more than {UNKNOWN_FIELDS_LISTED_MAX} unknown fields: dropped the others, too"


def unknown_in_envelope(message: Envelope, found: Findings) -> None:
    """Adds a finding for each path and number of an unknown field in the envelope, up to the limits."""
    numbers = _numbers(message)
    for path, unknown in (("", numbers), ("identity", _numbers(message.identity))):
        for number in takewhile(_may_change_meaning, unknown):
            where = f"of {path}" if path else "of the envelope"
            text = f"unknown field {number} {where}, which may change its meaning: upgrade the daemon"
            found.reject("UNSUPPORTED_FIELD", path, text)
    ignored = list(islice(_ignored_fields(message, numbers, ""), UNKNOWN_FIELDS_LISTED_MAX + 1))
    for path, number in ignored[:UNKNOWN_FIELDS_LISTED_MAX]:
        found.adjust("FIELD_IGNORED", path, _UNKNOWN.format(number))
    if len(ignored) > UNKNOWN_FIELDS_LISTED_MAX:
        found.adjust("FIELD_IGNORED", "", _MORE)


def unknown_in_request(request: Message, other_bytes: int) -> tuple[Finding, ...]:
    """Returns the findings about unknown fields of the request, which every envelope of it reports.

    `other_bytes` is the size of the request without its envelopes.
    """
    if other_bytes > _LISTED_BYTES_MAX:
        text = f"{other_bytes} bytes of unknown fields of the request: dropped; upgrade the daemon to use them"
        return (Finding("FIELD_IGNORED", "", text),)
    fields = UnknownFieldSet(request)
    if not len(fields):
        return ()
    numbers = dict.fromkeys(fields[index].field_number for index in range(min(len(fields), UNKNOWN_FIELDS_LISTED_MAX)))
    text = "unknown field {} of the request: dropped; upgrade the daemon to use it"
    listed = tuple(Finding("FIELD_IGNORED", "", text.format(number)) for number in numbers)
    return (*listed, Finding("FIELD_IGNORED", "", _MORE)) if len(fields) > UNKNOWN_FIELDS_LISTED_MAX else listed


def _may_change_meaning(number: int) -> bool:
    return number < _OPTIONAL_NUMBER_MIN


def _ignored_fields(message: Message, numbers: list[int], path: str) -> Iterator[tuple[str, int]]:
    """Yields path and number of each unknown field that is dropped, in the parts of the message that are decoded."""
    for number in numbers:
        if path not in _STRICT_PATHS or not _may_change_meaning(number):
            yield path, number
    prefix = f"{path}." if path else ""
    items_max = EVENT_ATTRIBUTES_READ_MAX if path else USER_ATTRIBUTES_READ_MAX
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if descriptor.is_repeated:
            for index, item in enumerate(value[:items_max]):
                yield from _ignored_fields(item, _numbers(item), f"{prefix}{descriptor.name}[{index}]")
        else:
            yield from _ignored_fields(value, _numbers(value), f"{prefix}{descriptor.name}")


def _numbers(message: Message) -> list[int]:
    """Returns the numbers of the unknown fields in rising order, each once."""
    fields = UnknownFieldSet(message)
    return sorted({fields[index].field_number for index in range(len(fields))})
