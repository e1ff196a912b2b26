"""Decodes requests from the wire into domain objects, within the limits of a request, and names their envelopes.

Fields that this release does not know are found here. Envelopes are decoded one by one as they are asked for, so that
a large request does not block the event loop.
"""

from collections.abc import Callable, Collection, Container, Iterator, Sequence
from typing import Any

from google.protobuf.message import DecodeError, Message

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PreviewRequest, PublishRequest, PublishStreamRequest
from intercomd_daemon.envelope import Environment, Finding, Priority, Source
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decode_attributes import decode_attributes, unread
from intercomd_daemon.ingest.decode_events import decode_event, unknown_number
from intercomd_daemon.ingest.decoded import DecodedEnvelope, Request
from intercomd_daemon.ingest.frame import frame_of
from intercomd_daemon.ingest.limits import ENVELOPE_BYTES_MAX, REQUEST_ID_BYTES_MAX, USER_ATTRIBUTES_READ_MAX
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.ingest.unknown_fields import unknown_in_envelope, unknown_in_request

DEFAULT_CONNECTION = "default"
_HEAD_BYTES = 5
"""At most, of an envelope in a request: its number and its length."""
_SOURCES = {0: Source.SERVER} | {int(source): source for source in Source}
_ENVIRONMENTS = {0: Environment.PRODUCTION} | {int(environment): environment for environment in Environment}
_PRIORITIES = {0: Priority.NORMAL} | {int(priority): priority for priority in Priority}

MakeId = Callable[[], str]


def decode_publish(data: bytes, limits: IngestSettings, new_envelope_id: MakeId) -> Request:
    """A `PublishRequest`; envelopes without an id are named `<request_id>/<index>`, or by `new_envelope_id`.

    Raises:
        RequestRefused: it is too large, empty, undecodable, or its request_id is too long. An envelope that cannot be
            decoded raises it when it is asked for.
    """
    frame, encoded, beside = _opened(data, PublishRequest, limits)
    request_id: str = frame.request_id
    if len(request_id.encode()) > REQUEST_ID_BYTES_MAX:
        raise RequestRefused("request_id", f"a request_id has at most {REQUEST_ID_BYTES_MAX} bytes")
    envelopes = _Envelopes(encoded, request_id, new_envelope_id, beside)
    return Request(envelopes, len(data), validate_only=frame.validate_only)


def decode_stream_publish(data: bytes, limits: IngestSettings, new_envelope_id: MakeId) -> Request:
    """A `PublishStreamRequest`; envelopes without an id are named by `new_envelope_id`.

    Raises:
        RequestRefused: as `decode_publish`.
    """
    frame, encoded, beside = _opened(data, PublishStreamRequest, limits)
    return Request(_Envelopes(encoded, "", new_envelope_id, beside), len(data), frame.sequence)


def decode_preview(data: bytes, limits: IngestSettings, new_envelope_id: MakeId) -> Request:
    """A `PreviewRequest`.

    Raises:
        RequestRefused: as `decode_publish`.
    """
    _, encoded, beside = _opened(data, PreviewRequest, limits)
    return Request(_Envelopes(encoded, "", new_envelope_id, beside), len(data), validate_only=True)


def _opened(data: bytes, kind: type[Message], limits: IngestSettings) -> tuple[Any, list[bytes], tuple[Finding, ...]]:
    """The request's frame, its envelopes as bytes, and what is to be said of what is unknown beside them."""
    if len(data) > limits.request_bytes_max:
        text = f"a request has at most {limits.request_bytes_max} bytes, this has {len(data)}: send smaller ones"
        raise RequestRefused("", text)
    frame = _parsed(data, frame_of(kind.DESCRIPTOR), kind)
    count = len(frame.envelopes)
    if not 1 <= count <= limits.envelopes_max:
        text = f"a request has 1 to {limits.envelopes_max} envelopes, this has {count}"
        raise RequestRefused("envelopes", text)
    envelopes = frame.envelopes[:]
    return frame, envelopes, unknown_in_request(frame, len(data) - sum(map(len, envelopes)) - _HEAD_BYTES * count)


def _parsed(data: bytes, form: type[Any], kind: type[Message]) -> Any:  # noqa: ANN401 - of the form
    """The bytes as a message of the form, which stands for the kind."""
    try:
        return form.FromString(data)
    except DecodeError:
        text = f"these bytes are no intercomd.v1.{kind.DESCRIPTOR.name}, or text in them is not UTF-8"
        raise RequestRefused("", text) from None


class _Envelopes(Collection[DecodedEnvelope]):
    """The envelopes of a request, each decoded when it is asked for."""

    def __init__(
        self, encoded: Sequence[bytes], request_id: str, new_envelope_id: MakeId, beside: tuple[Finding, ...]
    ) -> None:
        """`beside` is said with each of them."""
        self._encoded = encoded
        self._request_id = request_id
        self._new_envelope_id = new_envelope_id
        self._beside = beside

    def __len__(self) -> int:
        return len(self._encoded)

    def __contains__(self, envelope: object) -> bool:
        return any(envelope == mine for mine in self)

    def __iter__(self) -> Iterator[DecodedEnvelope]:
        for index, encoded in enumerate(self._encoded):
            message, found = _message(encoded, self._beside)
            name: str = message.envelope_id
            recognised = bool(name or self._request_id)
            if not name:
                name = f"{self._request_id}/{index}" if self._request_id else self._new_envelope_id()
            yield _envelope(message, name, recognised, encoded, found)


def _message(encoded: bytes, beside: tuple[Finding, ...]) -> tuple[Envelope, Findings | None]:
    """The envelope, of one that is too large only who it is, and what has been found so far if it is anything."""
    if len(encoded) <= ENVELOPE_BYTES_MAX:
        message: Envelope = _parsed(encoded, Envelope, Envelope)
        # What is as long without its unknown fields as it came had none: nobody writes a message shorter than we do.
        message.DiscardUnknownFields()
        if message.ByteSize() == len(encoded):
            return message, Findings(adjustments=beside) if beside else None
    found = Findings(adjustments=beside)
    if len(encoded) > ENVELOPE_BYTES_MAX:
        text = f"an envelope has at most {ENVELOPE_BYTES_MAX} bytes, this has {len(encoded)}: say less in it"
        found.reject("ENVELOPE_TOO_LARGE", "", text)
        frame = _parsed(encoded, frame_of(Envelope.DESCRIPTOR), Envelope)
        identity = _parsed(frame.identity, Identity, Identity)
        message = Envelope(
            envelope_id=frame.envelope_id,
            connection=frame.connection,
            identity=identity,
            environment=frame.environment,
        )
    else:
        message = Envelope.FromString(encoded)
        unknown_in_envelope(message, found)
    return message, found


def _envelope(
    message: Envelope, name: str, recognised: bool, encoded: bytes, found: Findings | None
) -> DecodedEnvelope:
    identity = message.identity
    removed = message.removed_user_attributes
    time = message.event_time.seconds
    source = _SOURCES.get(message.source)
    environment = _ENVIRONMENTS.get(message.environment)
    priority = _PRIORITIES.get(message.priority)
    findings = found.adjustments if found else []
    attributes = decode_attributes(message.user_attributes, USER_ATTRIBUTES_READ_MAX, "user_attributes", findings)
    if len(removed) > USER_ATTRIBUTES_READ_MAX:
        excess = len(removed) - USER_ATTRIBUTES_READ_MAX
        findings.append(unread(excess, USER_ATTRIBUTES_READ_MAX, "removed_user_attributes"))
    event = decode_event(message, findings)
    if source is None or environment is None or priority is None:
        findings += _unknown_numbers(message)
    return DecodedEnvelope(
        name,
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
        bool(message.envelope_id),
    )


def _unknown_numbers(message: Envelope) -> list[Finding]:
    numbers: tuple[tuple[str, int, Container[int]], ...] = (
        ("source", message.source, _SOURCES),
        ("environment", message.environment, _ENVIRONMENTS),
        ("priority", message.priority, _PRIORITIES),
    )
    return [unknown_number(path, number) for path, number, known in numbers if number not in known]
