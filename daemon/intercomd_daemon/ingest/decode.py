"""Decodes requests into `DecodedEnvelope`s, within the limits of a request, and gives ids to envelopes without one.

Two bytes of protobuf can become a hundred in memory, and a request has room for two million of them. So a request is
decoded without its envelopes first, and then one envelope after another during the iteration.
"""

from collections.abc import Callable, Collection, Container, Iterator, Sequence
from typing import Any

from google.protobuf.message import DecodeError, Message

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import Forwarder as ForwarderMessage
from intercomd.v1.ingest_pb2 import PreviewRequest, PublishRequest, PublishStreamRequest
from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX, Environment, Finding, Priority, Source
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decode_attributes import decode_attributes, excess_finding
from intercomd_daemon.ingest.decode_canonical import DecodedParts, decode_canonical
from intercomd_daemon.ingest.decode_events import decode_event, unknown_number
from intercomd_daemon.ingest.decoded import DecodedEnvelope, DecodedRequest, Forwarder
from intercomd_daemon.ingest.limits import (
    AGENT_ID_BYTES_MAX,
    ENVELOPE_BYTES_MAX,
    FORWARDED_BYTES_MAX,
    REQUEST_ID_BYTES_MAX,
    USER_ATTRIBUTES_READ_MAX,
)
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.ingest.shallow import shallow_class
from intercomd_daemon.ingest.unknown_fields import unknown_in_envelope, unknown_in_request

DEFAULT_CONNECTION = "default"
_ENVELOPE_HEADER_BYTES = 5
"""The most that the field number and the length of an envelope take in a request."""
_SOURCES = {0: Source.SERVER} | {int(source): source for source in Source}
_ENVIRONMENTS = {0: Environment.PRODUCTION} | {int(environment): environment for environment in Environment}
_PRIORITIES = {0: Priority.NORMAL} | {int(priority): priority for priority in Priority}

MakeId = Callable[[], str]


def decode_publish(data: bytes, limits: IngestSettings, new_envelope_id: MakeId) -> DecodedRequest:
    """Decodes a `PublishRequest`; an envelope without an id gets `<request_id>/<index>`, or `new_envelope_id()`.

    Raises:
        RequestRefused: it is too large, empty or malformed, or its request_id is too long. For a malformed envelope the
            iteration over the envelopes raises it.
    """
    request, encoded, adjustments = _decode_request(data, PublishRequest, limits)
    request_id: str = request.request_id
    size_bytes = len(request_id.encode())
    if size_bytes > REQUEST_ID_BYTES_MAX:
        text = f"request_id of {size_bytes} bytes, limit {REQUEST_ID_BYTES_MAX}: use a shorter one, such as a UUIDv7"
        raise RequestRefused("request_id", text)
    forwarder = _forwarder(request.forwarder) if request.forwarder else None
    envelopes = _Envelopes(encoded, request_id, new_envelope_id, adjustments, forwarded=forwarder is not None)
    return DecodedRequest(envelopes, len(data), validate_only=request.validate_only, forwarder=forwarder)


def _forwarder(encoded: bytes) -> Forwarder:
    message = _parse(encoded, ForwarderMessage, ForwarderMessage)
    size_bytes = len(message.agent_id.encode())
    if not 0 < size_bytes <= AGENT_ID_BYTES_MAX:
        text = f"agent_id of {size_bytes} bytes, limit 1 to {AGENT_ID_BYTES_MAX}: only daemons set the forwarder"
        raise RequestRefused("forwarder.agent_id", text)
    if message.sequence < 1:
        text = f"sequence {message.sequence}, limit 1 or more: only daemons set the forwarder"
        raise RequestRefused("forwarder.sequence", text)
    return Forwarder(message.agent_id, message.sequence, message.spool_id)


def decode_stream_publish(data: bytes, limits: IngestSettings, new_envelope_id: MakeId) -> DecodedRequest:
    """Decodes a `PublishStreamRequest`; an envelope without an id gets `new_envelope_id()`.

    Raises:
        RequestRefused: as `decode_publish`.
    """
    request, encoded, adjustments = _decode_request(data, PublishStreamRequest, limits)
    return DecodedRequest(_Envelopes(encoded, "", new_envelope_id, adjustments), len(data), request.sequence)


def decode_preview(data: bytes, limits: IngestSettings, new_envelope_id: MakeId) -> DecodedRequest:
    """Decodes a `PreviewRequest`; an envelope without an id gets `new_envelope_id()`.

    Raises:
        RequestRefused: as `decode_publish`.
    """
    _, encoded, adjustments = _decode_request(data, PreviewRequest, limits)
    return DecodedRequest(_Envelopes(encoded, "", new_envelope_id, adjustments), len(data), validate_only=True)


def _decode_request(
    data: bytes, kind: type[Message], limits: IngestSettings
) -> tuple[Any, list[bytes], tuple[Finding, ...]]:
    """Returns the request without its envelopes, the encoded envelopes, and findings about unknown fields of it."""
    if len(data) > limits.request_bytes_max:
        text = (
            f"request of {len(data)} bytes, limit {limits.request_bytes_max} (ingest.request_bytes_max): "
            "send smaller requests"
        )
        raise RequestRefused("", text)
    request = _parse(data, shallow_class(kind.DESCRIPTOR), kind)
    count = len(request.envelopes)
    if not 1 <= count <= limits.envelopes_max:
        fix = "send several requests" if count else "add an envelope"
        text = f"request of {count} envelopes, limit 1 to {limits.envelopes_max} (ingest.envelopes_max): {fix}"
        raise RequestRefused("envelopes", text)
    envelopes = request.envelopes[:]
    other_bytes = len(data) - sum(map(len, envelopes)) - _ENVELOPE_HEADER_BYTES * count
    return request, envelopes, unknown_in_request(request, other_bytes)


def _parse(data: bytes, target: type[Any], kind: type[Message]) -> Any:  # noqa: ANN401 - an instance of `target`
    """Parses bytes of the message type `kind` as `target`, which is `kind` or its shallow class."""
    try:
        return target.FromString(data)
    except DecodeError:
        text = f"cannot decode intercomd.v1.{kind.DESCRIPTOR.name}: expected its protobuf encoding, with text in UTF-8"
        raise RequestRefused("", text) from None


class _Envelopes(Collection[DecodedEnvelope]):
    """The envelopes of a request, each decoded when the iteration reaches it."""

    def __init__(
        self,
        encoded: Sequence[bytes],
        request_id: str,
        new_envelope_id: MakeId,
        adjustments: tuple[Finding, ...],
        *,
        forwarded: bool = False,
    ) -> None:
        """`adjustments` are about the request; each of its envelopes reports them.

        Forwarded envelopes may be larger by what an agent adds to them, such as an id `<request_id>/<index>`.
        """
        self._forwarded = forwarded
        self._encoded = encoded
        self._request_id = request_id
        self._new_envelope_id = new_envelope_id
        self._adjustments = adjustments

    def __len__(self) -> int:
        return len(self._encoded)

    def __contains__(self, envelope: object) -> bool:
        return any(envelope == mine for mine in self)

    def __iter__(self) -> Iterator[DecodedEnvelope]:
        bytes_max = ENVELOPE_BYTES_MAX + FORWARDED_BYTES_MAX if self._forwarded else ENVELOPE_BYTES_MAX
        for index, encoded in enumerate(self._encoded):
            found = Findings(adjustments=self._adjustments) if self._adjustments else None
            parts = decode_canonical(encoded) if len(encoded) <= bytes_max else None
            if parts is None:
                found = found or Findings()
                parts = _decode_parts(encoded, bytes_max, found)
            envelope_id: str = parts[0].envelope_id
            recognised = bool(envelope_id or self._request_id)
            own_id = bool(envelope_id) and not (self._forwarded and len(envelope_id) <= GIVEN_ID_BYTES_MAX)
            if not envelope_id:
                envelope_id = f"{self._request_id}/{index}" if self._request_id else self._new_envelope_id()
            yield _envelope(parts, envelope_id, recognised, encoded, found, has_own_id=own_id)


def _decode_parts(encoded: bytes, bytes_max: int, found: Findings) -> DecodedParts:
    """Decodes an envelope on the general path, and adds what is found.

    Of an envelope that is too large, only id, connection, identity and environment are decoded: enough to report it.
    """
    if len(encoded) <= bytes_max:
        message: Envelope = _parse(encoded, Envelope, Envelope)
        # Protobuf's encoding is the shortest. If the message without unknown fields is as long as it came, it had none.
        message.DiscardUnknownFields()
        if message.ByteSize() != len(encoded):
            message = Envelope.FromString(encoded)
            unknown_in_envelope(message, found)
    else:
        text = (
            f"envelope of {len(encoded)} bytes, limit {ENVELOPE_BYTES_MAX}: send fewer or shorter attributes, or "
            "several events"
        )
        found.reject("ENVELOPE_TOO_LARGE", "", text)
        shallow = _parse(encoded, shallow_class(Envelope.DESCRIPTOR), Envelope)
        identity = _parse(shallow.identity, Identity, Identity)
        message = Envelope(
            envelope_id=shallow.envelope_id,
            connection=shallow.connection,
            identity=identity,
            environment=shallow.environment,
        )
    findings = found.adjustments
    attributes = decode_attributes(message.user_attributes, USER_ATTRIBUTES_READ_MAX, "user_attributes", findings)
    excess = len(message.removed_user_attributes) - USER_ATTRIBUTES_READ_MAX
    if excess > 0:
        findings.append(excess_finding(excess, USER_ATTRIBUTES_READ_MAX, "removed_user_attributes"))
    return message, attributes, decode_event(message, findings)


def _envelope(
    parts: DecodedParts,
    envelope_id: str,
    recognised: bool,
    encoded: bytes,
    found: Findings | None,
    *,
    has_own_id: bool,
) -> DecodedEnvelope:
    message, attributes, event = parts
    identity = message.identity
    removed = message.removed_user_attributes
    time = message.event_time.seconds
    source = _SOURCES.get(message.source)
    environment = _ENVIRONMENTS.get(message.environment)
    priority = _PRIORITIES.get(message.priority)
    findings = found.adjustments if found else []
    if source is None or environment is None or priority is None:
        findings += _unknown_numbers(message)
    return DecodedEnvelope(
        envelope_id,
        recognised,
        message.connection or DEFAULT_CONNECTION,
        identity.customer_id,
        identity.email,
        source or Source.SERVER,
        time if time or message.HasField("event_time") else None,
        attributes,
        removed[:USER_ATTRIBUTES_READ_MAX] if removed else [],
        environment or Environment.PRODUCTION,
        priority or Priority.NORMAL,
        event,
        message.traceparent,
        encoded,
        tuple(found.violations) if found else (),
        tuple(findings) if findings else (),
        has_own_id,
    )


def _unknown_numbers(message: Any) -> list[Finding]:  # noqa: ANN401 - as in `DecodedParts`
    numbers: tuple[tuple[str, int, Container[int]], ...] = (
        ("source", message.source, _SOURCES),
        ("environment", message.environment, _ENVIRONMENTS),
        ("priority", message.priority, _PRIORITIES),
    )
    return [unknown_number(path, number) for path, number, known in numbers if number not in known]
