"""Fields that this release does not know: found in a message that has some, refused or named.

"An unknown field numbered below 100 in Envelope or Identity → REJECTED UNSUPPORTED_FIELD; from 100, or elsewhere →
ACCEPTED with FIELD_IGNORED." What may matter is always found; of the rest so many are named, and then it is said that
there are more.
"""

from collections.abc import Iterator
from itertools import islice, takewhile

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.limits import EVENT_ATTRIBUTES_READ_MAX, FIELDS_NAMED_MAX, USER_ATTRIBUTES_READ_MAX

_ENVELOPE_NUMBERS_FROM = 100
"""The number plan: below it a field of an envelope or an identity may change what is meant."""
_MEANT = frozenset({"", "identity"})
_BESIDE_BYTES_MAX = 16 * 1024
"""The known fields of a request beside its envelopes take far less; unknown fields above it are not listed."""
_FIRST = "unknown field {}: dropped; upgrade the daemon to use it"
_MORE = f"more than {FIELDS_NAMED_MAX} unknown fields: dropped the others, too"


def unknown_in_envelope(message: Envelope, found: Findings) -> None:
    """Adds each unknown field of the envelope, once for each place and number, as far as they are named."""
    numbers = _numbers(message)
    for path, unknown in (("", numbers), ("identity", _numbers(message.identity))):
        for number in takewhile(_matters, unknown):
            where = f"of {path}" if path else "of the envelope"
            text = f"unknown field {number} {where}, which may change its meaning: upgrade the daemon"
            found.reject("UNSUPPORTED_FIELD", path, text)
    ignored = list(islice(_ignored_fields(message, numbers, ""), FIELDS_NAMED_MAX + 1))
    for path, number in ignored[:FIELDS_NAMED_MAX]:
        found.adjust("FIELD_IGNORED", path, _FIRST.format(number))
    if len(ignored) > FIELDS_NAMED_MAX:
        found.adjust("FIELD_IGNORED", "", _MORE)


def unknown_in_request(frame: Message, beside_bytes: int) -> tuple[Finding, ...]:
    """What is to be said, with every envelope, of unknown fields beside the envelopes, which are so many bytes."""
    if beside_bytes > _BESIDE_BYTES_MAX:
        text = f"{beside_bytes} bytes of unknown fields beside the envelopes: dropped; upgrade the daemon"
        return (Finding("FIELD_IGNORED", "", text),)
    fields = UnknownFieldSet(frame)
    if not len(fields):
        return ()
    numbers = dict.fromkeys(fields[index].field_number for index in range(min(len(fields), FIELDS_NAMED_MAX)))
    text = "unknown field {} of the request: dropped; upgrade the daemon to use it"
    named = tuple(Finding("FIELD_IGNORED", "", text.format(number)) for number in numbers)
    return (*named, Finding("FIELD_IGNORED", "", _MORE)) if len(fields) > FIELDS_NAMED_MAX else named


def _matters(number: int) -> bool:
    return number < _ENVELOPE_NUMBERS_FROM


def _ignored_fields(message: Message, numbers: list[int], path: str) -> Iterator[tuple[str, int]]:
    """The place and number of each that does not matter, in what is looked at: the rest was left out anyway."""
    for number in numbers:
        if path not in _MEANT or not _matters(number):
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
    """In rising order, each once."""
    fields = UnknownFieldSet(message)
    return sorted({fields[index].field_number for index in range(len(fields))})
