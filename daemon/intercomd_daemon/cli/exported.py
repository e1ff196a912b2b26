"""Turns an accepted envelope back into one that a sender can send, so that another daemon accepts the same."""

from hashlib import blake2b

from google.protobuf.json_format import Error as JsonError
from google.protobuf.message import DecodeError

from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.cli.output import message_to_json
from intercomd_daemon.ingest.limits import ENVELOPE_ID_BYTES_MAX
from intercomd_daemon.spool.maintenance import Exported


class UnwritableEnvelope(ValueError):
    """The envelope cannot be written as JSON; the message says why."""


def sender_json(exported: Exported) -> dict[str, object]:
    """Returns the sender's envelope as proto3 JSON, with the id, connection and time it was accepted with.

    The time is that of the first event, so that Intercom receives the event unchanged. The environment is left out:
    development data names the connection it was routed to.

    Raises:
        UnwritableEnvelope: the bytes are not an envelope, or JSON cannot represent it.
    """
    accepted = exported.envelope
    try:
        envelope = Envelope.FromString(accepted.source)
        envelope.envelope_id = _sendable(accepted.envelope_id)
        envelope.connection = exported.connection
        envelope.ClearField("environment")
        if accepted.events and not accepted.replay:
            envelope.event_time.FromSeconds(accepted.events[0].created_at)
        elif not envelope.HasField("event_time"):
            envelope.event_time.FromSeconds(int(accepted.accept_time))
        return message_to_json(envelope, every_field=False)
    except (DecodeError, JsonError, ValueError) as error:
        raise UnwritableEnvelope(str(error)) from error


def _sendable(envelope_id: str) -> str:
    """Returns the id, or a hash of an id that was derived from a request id and is too long for a sender."""
    encoded = envelope_id.encode()
    return envelope_id if len(encoded) <= ENVELOPE_ID_BYTES_MAX else blake2b(encoded, digest_size=16).hexdigest()
