"""Bytes to nouns: requests as they come over the wire, within the limits of a request, their envelopes named.

What in them this release does not know is found here; what the nouns mean for Intercom is not looked at.
"""

from collections.abc import Callable, Container
from typing import TypeVar

from google.protobuf.message import DecodeError

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import PreviewRequest, PublishRequest, PublishStreamRequest
from intercomd_daemon.envelope import Environment, Note, Priority, Source
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.ingest.decode_attributes import decode_attributes
from intercomd_daemon.ingest.decode_events import decode_event, unknown_number
from intercomd_daemon.ingest.examined import Findings
from intercomd_daemon.ingest.limits import ENVELOPE_BYTES_MAX, REQUEST_ID_BYTES_MAX, RequestLimits
from intercomd_daemon.ingest.sent import Request, SentEnvelope
from intercomd_daemon.ingest.unknown_fields import unknown_in_envelope, unknown_in_request

DEFAULT_CONNECTION = "default"
_SOURCES = {0: Source.SERVER} | {int(source): source for source in Source}
_ENVIRONMENTS = {0: Environment.PRODUCTION} | {int(environment): environment for environment in Environment}
_PRIORITIES = {0: Priority.NORMAL} | {int(priority): priority for priority in Priority}

RequestMessage = TypeVar("RequestMessage", PublishRequest, PublishStreamRequest, PreviewRequest)
MakeId = Callable[[], str]


def decode_publish(data: bytes, limits: RequestLimits, new_envelope_id: MakeId) -> Request:
    """A `PublishRequest`; envelopes without an id are named `<request_id>/<index>`, or by `new_envelope_id`.

    Raises:
        RequestRefused: it is too large, empty, undecodable, or its request_id is too long.
    """
    message, unknown = _parsed(data, PublishRequest, limits)
    request_id = message.request_id
    if len(request_id.encode()) > REQUEST_ID_BYTES_MAX:
        raise RequestRefused("request_id", f"a request_id has at most {REQUEST_ID_BYTES_MAX} bytes")
    envelopes = _envelopes(message, request_id, new_envelope_id, unknown=unknown)
    return Request(envelopes, len(data), validate_only=message.validate_only)


def decode_stream_publish(data: bytes, limits: RequestLimits, new_envelope_id: MakeId) -> Request:
    """A `PublishStreamRequest`; envelopes without an id are named by `new_envelope_id`.

    Raises:
        RequestRefused: it is too large, empty or undecodable.
    """
    message, unknown = _parsed(data, PublishStreamRequest, limits)
    return Request(_envelopes(message, "", new_envelope_id, unknown=unknown), len(data), message.sequence)


def decode_preview(data: bytes, limits: RequestLimits, new_envelope_id: MakeId) -> Request:
    """A `PreviewRequest`.

    Raises:
        RequestRefused: it is too large, empty or undecodable.
    """
    message, unknown = _parsed(data, PreviewRequest, limits)
    return Request(_envelopes(message, "", new_envelope_id, unknown=unknown), len(data), validate_only=True)


def _parsed(data: bytes, kind: type[RequestMessage], limits: RequestLimits) -> tuple[RequestMessage, bool]:
    """The message, and whether something in it is unknown."""
    if len(data) > limits.request_bytes_max:
        text = f"a request has at most {limits.request_bytes_max} bytes, this has {len(data)}: send smaller ones"
        raise RequestRefused("", text)
    try:
        message = kind.FromString(data)
    except DecodeError:
        text = f"these bytes are no intercomd.v1.{kind.DESCRIPTOR.name}, or text in them is not UTF-8"
        raise RequestRefused("", text) from None
    count = len(message.envelopes)
    if not 1 <= count <= limits.envelopes_max:
        text = f"a request has 1 to {limits.envelopes_max} envelopes, this has {count}"
        raise RequestRefused("envelopes", text)
    # What is as long without its unknown fields as it came had none: nobody writes a message shorter than we do.
    message.DiscardUnknownFields()
    size = message.ByteSize()
    if size == len(data):
        return message, False
    whole = kind.FromString(data)
    return whole, whole.ByteSize() != size


def _envelopes(
    request: RequestMessage, request_id: str, new_envelope_id: MakeId, *, unknown: bool
) -> list[SentEnvelope]:
    envelopes = []
    beside = unknown_in_request(request) if unknown else ()
    for index, message in enumerate(request.envelopes):
        encoded = message.SerializeToString()
        name = message.envelope_id
        recognised = bool(name or request_id)
        if not name:
            name = f"{request_id}/{index}" if request_id else new_envelope_id()
        if unknown or len(encoded) > ENVELOPE_BYTES_MAX:
            envelopes.append(_unusual(message, name, recognised, encoded, beside))
        else:
            envelopes.append(_envelope(message, name, recognised, encoded))
    return envelopes


def _unusual(message: Envelope, name: str, recognised: bool, encoded: bytes, beside: tuple[Note, ...]) -> SentEnvelope:
    """An envelope that is too large to be looked into, or may hold what is unknown."""
    found = Findings(adjustments=beside)
    if len(encoded) > ENVELOPE_BYTES_MAX:
        text = f"an envelope has at most {ENVELOPE_BYTES_MAX} bytes, this has {len(encoded)}: say less in it"
        found.reject("ENVELOPE_TOO_LARGE", "", text)
        message = Envelope(connection=message.connection, identity=message.identity, environment=message.environment)
    else:
        unknown_in_envelope(message, found)
    return _envelope(message, name, recognised, encoded, tuple(found.violations), tuple(found.adjustments))


def _envelope(
    message: Envelope,
    name: str,
    recognised: bool,
    encoded: bytes,
    violations: tuple[Note, ...] = (),
    adjustments: tuple[Note, ...] = (),
) -> SentEnvelope:
    identity = message.identity
    removed = message.removed_user_attributes
    time = message.event_time.seconds
    source = _SOURCES.get(message.source)
    environment = _ENVIRONMENTS.get(message.environment)
    priority = _PRIORITIES.get(message.priority)
    notes: list[Note] = []
    event = decode_event(message, notes)
    if source is None or environment is None or priority is None:
        notes += _unknown_numbers(message)
    return SentEnvelope(
        name,
        recognised,
        message.connection or DEFAULT_CONNECTION,
        identity.customer_id,
        identity.email,
        source or Source.SERVER,
        time if time or message.HasField("event_time") else None,
        decode_attributes(message.user_attributes),
        list(removed) if removed else [],
        environment or Environment.PRODUCTION,
        priority or Priority.NORMAL,
        event,
        message.traceparent,
        encoded,
        violations,
        (*adjustments, *notes) if notes else adjustments,
        bool(message.envelope_id),
    )


def _unknown_numbers(message: Envelope) -> list[Note]:
    numbers: tuple[tuple[str, int, Container[int]], ...] = (
        ("source", message.source, _SOURCES),
        ("environment", message.environment, _ENVIRONMENTS),
        ("priority", message.priority, _PRIORITIES),
    )
    return [unknown_number(path, number) for path, number, known in numbers if number not in known]
