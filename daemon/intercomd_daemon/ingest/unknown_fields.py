"""Fields that this release does not know: found in a message that has some, refused or named.

"An unknown field numbered below 100 in Envelope or Identity → REJECTED UNSUPPORTED_FIELD; from 100, or elsewhere →
ACCEPTED with FIELD_IGNORED."
"""

from collections.abc import Iterator

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.envelope import Note
from intercomd_daemon.ingest.examined import Findings

_ENVELOPE_NUMBERS_FROM = 100
"""The number plan: below it a field of an envelope or an identity may change what is meant."""
_MEANT = frozenset({"", "identity"})


def unknown_in_envelope(message: Envelope, found: Findings) -> None:
    """Adds each unknown field of the envelope, once for each place and number."""
    for path, number in dict.fromkeys(_unknown_fields(message, "")):
        if path in _MEANT and number < _ENVELOPE_NUMBERS_FROM:
            where = f"of {path}" if path else "of the envelope"
            text = f"this release does not know field {number} {where}, and it may matter: upgrade the daemon first"
            found.reject("UNSUPPORTED_FIELD", path, text)
        else:
            found.adjust("FIELD_IGNORED", path, f"this release does not know its field {number}: it was left out")


def unknown_in_request(message: Message) -> tuple[Note, ...]:
    """What is to be said, with every envelope, of unknown fields beside the envelopes."""
    numbers = dict.fromkeys(_numbers(message))
    text = "this release does not know field {} of the request: it was left out"
    return tuple(Note("FIELD_IGNORED", "", text.format(number)) for number in numbers)


def _unknown_fields(message: Message, path: str) -> Iterator[tuple[str, int]]:
    for number in _numbers(message):
        yield path, number
    prefix = f"{path}." if path else ""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if descriptor.is_repeated:
            for index, item in enumerate(value):
                yield from _unknown_fields(item, f"{prefix}{descriptor.name}[{index}]")
        else:
            yield from _unknown_fields(value, f"{prefix}{descriptor.name}")


def _numbers(message: Message) -> Iterator[int]:
    fields = UnknownFieldSet(message)
    for index in range(len(fields)):
        yield fields[index].field_number
