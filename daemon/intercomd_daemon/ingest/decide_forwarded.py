"""Decides an envelope at an agent, which forwards it to a gateway.

The agent checks only what no setting of the gateway changes: decodability, the fixed limits, the identity, and whether
the connection exists. The gateway decides everything else, so the agent reports no adjustments. It stores the sender's
bytes. What the sender left out and the gateway must not choose again is added to them: the id, the time, the trace.
"""

from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.framing import length_prefix
from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.connection import ConnectionsByName
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.ingest.decision import Decision, Disposition, Findings
from intercomd_daemon.ingest.decoded import CustomEvent, DecodedEnvelope
from intercomd_daemon.ingest.validate import (
    check_empty,
    check_envelope_id,
    created_at_of,
    event_name_of,
    identity_of,
    unknown_connection,
)

_LENGTH_DELIMITED = 2
_MICROSECONDS = 1_000_000


def decide_forwarded(
    envelope: DecodedEnvelope, connections: ConnectionsByName, now: float, caller: str = "", traceparent: str = ""
) -> Decision:
    """Returns the decision of an agent, and if it is accepted, the envelope to store.

    `now` is in Unix seconds; `traceparent` is that of the call, for an envelope without one of its own.
    """
    if envelope.connection not in connections:
        return unknown_connection(envelope, envelope.connection, "connection")
    found = Findings(envelope.violations)
    if envelope.has_own_id:
        check_envelope_id(envelope.envelope_id, found)
    customer_id, email = identity_of(envelope.customer_id, envelope.email, (), found)
    created_at = created_at_of(envelope.event_time, int(now), found)
    check_empty(envelope, found)
    if isinstance(envelope.event, CustomEvent):
        event_name_of(envelope.event.name, "custom_event.name", found)
    if found.violations:
        return Decision(envelope.envelope_id, envelope.connection, Disposition.REJECTED, tuple(found.violations))
    accepted = AcceptedEnvelope(
        envelope.envelope_id,
        customer_id,
        email,
        now,
        (),
        (),
        envelope.traceparent or traceparent,
        envelope.encoded + _additions(envelope, now, traceparent),
        caller=caller,
    )
    return Decision(
        envelope.envelope_id,
        envelope.connection,
        Disposition.ACCEPTED,
        priority=envelope.priority,
        recognised=envelope.recognised,
        accepted=accepted,
        event_time=created_at if envelope.event is not None else None,
        traceparent=accepted.traceparent,
    )


def _additions(envelope: DecodedEnvelope, now: float, traceparent: str) -> bytes:
    """Returns the fields that the sender left out, encoded.

    Bytes that follow a message are further fields of it (protobuf's encoding, "Last One Wins").
    """
    added = b""
    if not envelope.has_own_id:
        added += _field(Envelope.ENVELOPE_ID_FIELD_NUMBER, envelope.envelope_id.encode())
    if envelope.event_time is None:
        seconds, microseconds = divmod(round(now * _MICROSECONDS), _MICROSECONDS)
        added += Envelope(event_time=Timestamp(seconds=seconds, nanos=microseconds * 1000)).SerializeToString()
    if traceparent and not envelope.traceparent:
        added += _field(Envelope.TRACEPARENT_FIELD_NUMBER, traceparent.encode())
    return added


def _field(number: int, content: bytes) -> bytes:
    return length_prefix(number << 3 | _LENGTH_DELIMITED) + length_prefix(len(content)) + content
