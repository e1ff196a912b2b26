"""An envelope as the bytes in which it travels.

It is encoded once, when it is published: what its owner does with the object afterwards changes nothing, and a repeat
sends the very same bytes.

A frame is a PublishRequest that holds the one envelope. Frames joined are the request that holds them all, because
repeated fields of concatenated messages add up (protobuf's encoding, "Last One Wins").
"""

from intercomd import AttributeValue, Envelope  # noqa: F401 - both check times from now on, wherever they are imported
from intercomd.envelope_id import new_envelope_id
from intercomd.v1.ingest_pb2 import PublishRequest

# Tag bytes: the field's number << 3 | 2, the wire type of what has a length.
ENVELOPES_TAG = bytes([PublishRequest.ENVELOPES_FIELD_NUMBER << 3 | 2])
ENVELOPE_ID_TAG = bytes([Envelope.ENVELOPE_ID_FIELD_NUMBER << 3 | 2])


def frame(envelope: Envelope) -> bytes:
    """The envelope's frame. One without an id gets a new one there; the envelope itself is left as it is.

    Raises:
        TypeError: the argument is not an Envelope.
    """
    if not isinstance(envelope, Envelope):
        raise TypeError(f"publish takes an intercomd.Envelope, not {type(envelope).__name__}: {envelope!r:.60}")
    body = envelope.SerializeToString()
    if not envelope.envelope_id:
        envelope_id = new_envelope_id().encode()
        body = ENVELOPE_ID_TAG + length_prefix(len(envelope_id)) + envelope_id + body
    return ENVELOPES_TAG + length_prefix(len(body)) + body


def unframe(framed: bytes) -> Envelope:
    """The envelope in a frame, its id included."""
    return PublishRequest.FromString(framed).envelopes[0]


def length_prefix(length: int) -> bytes:
    """A length as protobuf's varint: seven bits to a byte, the lowest first, the highest bit saying "more"."""
    prefix = bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)
