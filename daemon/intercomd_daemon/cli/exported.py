"""From an accepted envelope back to the one that a sender would send, so that another daemon accepts the same. Pure."""

from hashlib import blake2b

from google.protobuf.json_format import Error as JsonError
from google.protobuf.message import DecodeError

from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.cli.output import message_to_json
from intercomd_daemon.ingest.limits import ENVELOPE_ID_BYTES_MAX
from intercomd_daemon.spool.sqlite.repair.export import Exported


class Unwritable(ValueError):
    """The sender's envelope cannot be written as a line; the message says why."""


def line_of(exported: Exported) -> dict[str, object]:
    """The sender's envelope as proto3 JSON, with the id, the connection and the time that it was accepted with.

    The time is that of the first event, so that Intercom gets the event as it would have got it. Data of development
    stand in the connection that they went to, where they are like any others.

    Raises:
        Unwritable: the sender's bytes are no envelope, or one that JSON cannot hold.
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
        raise Unwritable(str(error)) from error


def _sendable(envelope_id: str) -> str:
    """The id, or where it was made of a request's and is longer than a sender's may be, one that is made of it."""
    encoded = envelope_id.encode()
    return envelope_id if len(encoded) <= ENVELOPE_ID_BYTES_MAX else blake2b(encoded, digest_size=16).hexdigest()
