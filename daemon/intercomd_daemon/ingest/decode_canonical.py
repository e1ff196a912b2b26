"""Fast path of decoding: envelopes in protobuf's canonical encoding, with nothing to report.

Decoding spends most of its time on the objects that protobuf creates for each part of a message that is read. Here the
attributes stay encoded bytes, and `AttributeCache` has decoded most of them before. All other envelopes take the
general path of `decode.py`, which gives the same result for the envelopes that are decoded here.
"""

from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent as CustomEventMessage
from intercomd.v1.identity_pb2 import Identity
from intercomd_daemon.ingest.attribute_cache import AttributeCache, NotCanonicalError
from intercomd_daemon.ingest.decode_events import CUSTOM_EVENT_TYPES, decode_encoded_event
from intercomd_daemon.ingest.decoded import Attribute, CustomEvent, DecodedEvent
from intercomd_daemon.ingest.limits import EVENT_ATTRIBUTES_READ_MAX, USER_ATTRIBUTES_READ_MAX
from intercomd_daemon.ingest.shallow import shallow_class

DecodedParts = tuple[Any, list[Attribute], DecodedEvent | None]
"""The decoded parts of an envelope: its message, its user attributes, and its event.

The message is an `Envelope`, or has the same fields beside those that are decoded."""

_Envelope = shallow_class(Envelope.DESCRIPTOR, Identity.DESCRIPTOR, CustomEventMessage.DESCRIPTOR, Timestamp.DESCRIPTOR)
_attributes = AttributeCache().decode


def decode_canonical(encoded: bytes) -> DecodedParts | None:
    """Returns a decoded envelope; None: it takes the general path, which finds what is wrong with it, if anything."""
    try:
        message = _Envelope.FromString(encoded)
    except DecodeError:
        return None
    # As on the general path, this shows that there were no unknown fields.
    message.DiscardUnknownFields()
    if message.ByteSize() != len(encoded):
        return None
    user_attributes = message.user_attributes
    if (
        len(user_attributes) > USER_ATTRIBUTES_READ_MAX
        or len(message.removed_user_attributes) > USER_ATTRIBUTES_READ_MAX
    ):
        return None
    try:
        event = _event(message)
        # Iterating over a copy of a repeated field is faster than over the field.
        return message, _attributes(user_attributes[:]), event
    except ValueError:
        return None


def _event(message: Any) -> DecodedEvent | None:  # noqa: ANN401 - made by `shallow_class`
    """Returns the event, or None if there is none.

    Raises:
        ValueError: the general path finds something about it.
    """
    custom = message.custom_event
    # Most events are custom events with a name. Reading it first saves the slower `WhichOneof`.
    name = custom.name
    if name:
        attributes = custom.attributes
        if custom.type not in CUSTOM_EVENT_TYPES or len(attributes) > EVENT_ATTRIBUTES_READ_MAX:
            raise NotCanonicalError
        return CustomEvent(name, _attributes(attributes[:]))
    kind = message.WhichOneof("event")
    if kind is None:
        return None
    event = None if kind == "custom_event" else decode_encoded_event(kind, getattr(message, kind))
    if event is None:
        raise NotCanonicalError
    return event
