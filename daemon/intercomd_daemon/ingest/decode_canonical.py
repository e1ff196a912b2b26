"""Fast path of decoding: envelopes with a custom event or none, in protobuf's canonical encoding.

Most of the time of decoding is spent on the objects that protobuf creates for each part of a message that is read. In
the message here, attributes are encoded bytes, which a cache has decoded mostly. All other envelopes take the general
path of `decode.py`, which gives the same result for these.
"""

from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent as CustomEventMessage
from intercomd.v1.identity_pb2 import Identity
from intercomd_daemon.ingest.attribute_cache import AttributeCache
from intercomd_daemon.ingest.decode_events import CUSTOM_EVENT_TYPES
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
    # Protobuf's encoding is the shortest. If the message without unknown fields is as long as it came, it had none.
    message.DiscardUnknownFields()
    if message.ByteSize() != len(encoded):
        return None
    user_attributes, custom = message.user_attributes, message.custom_event
    name, own_attributes = custom.name, custom.attributes
    if not name and message.WhichOneof("event"):
        return None
    if len(user_attributes) > USER_ATTRIBUTES_READ_MAX or len(own_attributes) > EVENT_ATTRIBUTES_READ_MAX:
        return None
    if len(message.removed_user_attributes) > USER_ATTRIBUTES_READ_MAX:
        return None
    if custom.type not in CUSTOM_EVENT_TYPES:
        return None
    # Iterating over a copy of a repeated field is faster than over the field.
    try:
        event = CustomEvent(name, _attributes(own_attributes[:])) if name else None
        return message, _attributes(user_attributes[:]), event
    except ValueError:
        return None
