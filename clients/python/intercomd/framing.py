"""Encodes envelopes to frames.

`publish` encodes an envelope once. Later changes of the object have no effect, and a repeat sends the same bytes.

A frame is a PublishRequest that holds the one envelope. Frames joined are the request that holds them all, because
repeated fields of concatenated messages add up (protobuf's encoding, "Last One Wins").
"""

from intercomd import AttributeValue, Envelope  # noqa: F401 - both check times from now on, wherever they are imported
from intercomd.envelope_id import new_envelope_id
from intercomd.trace import current_traceparent
from intercomd.v1.ingest_pb2 import PublishRequest

# Tag bytes: the field's number << 3 | 2, the wire type of length-delimited values.
ENVELOPES_TAG = bytes([PublishRequest.ENVELOPES_FIELD_NUMBER << 3 | 2])
ENVELOPE_ID_TAG = bytes([Envelope.ENVELOPE_ID_FIELD_NUMBER << 3 | 2])


def frame(envelope: Envelope) -> bytes:
    """Returns the frame of an envelope. It adds an id and the caller's trace context where there is none.

    The envelope itself does not change.

    Raises:
        TypeError: the argument is not an Envelope.
    """
    if not isinstance(envelope, Envelope):
        raise TypeError(f"publish takes an intercomd.Envelope, not {type(envelope).__name__}: {envelope!r:.60}")
    body = envelope.SerializeToString()
    if not envelope.envelope_id:
        envelope_id = new_envelope_id().encode()
        body = ENVELOPE_ID_TAG + length_prefix(len(envelope_id)) + envelope_id + body
    if (traceparent := current_traceparent()) and not envelope.traceparent:
        # A message of this one field, appended: the fields of concatenated messages add up.
        body += Envelope(traceparent=traceparent).SerializeToString()
    return ENVELOPES_TAG + length_prefix(len(body)) + body


def unframe(framed: bytes) -> Envelope:
    """Returns the envelope in a frame, with its id."""
    return PublishRequest.FromString(framed).envelopes[0]


def envelope_id(framed: bytes) -> str:
    """Returns the id of the envelope in a frame.

    An id of up to 127 bytes is read in place: encoders write field 1 first.
    """
    place = len(ENVELOPES_TAG)
    while framed[place] > 0x7F:
        place += 1
    place += 1
    if framed[place : place + 1] != ENVELOPE_ID_TAG or framed[place + 1] > 0x7F:
        return unframe(framed).envelope_id
    return framed[place + 2 : place + 2 + framed[place + 1]].decode()


def length_prefix(length: int) -> bytes:
    """Returns a length as protobuf's varint: seven bits to a byte, the lowest first; the highest bit means "more"."""
    prefix = bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)
