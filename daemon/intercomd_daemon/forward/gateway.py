"""Calls to the gateway over one channel: requests as bytes, replies as domain objects.

TLS files and the token are read again before each call, so that they may be replaced while the daemon runs.
"""

import ssl
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from intercomd.access import Access, Tls
from intercomd.framing import ENVELOPES_TAG, length_prefix
from intercomd.retry import retry_after_seconds
from intercomd.settings import PublisherSettings
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import (
    Disposition,
    EnvelopeResult,
    Forwarder,
    PreviewRequest,
    PreviewResponse,
    PublishRequest,
    PublishResponse,
)
from intercomd_daemon.envelope import Finding
from intercomd_daemon.errors import ForwardingLoop, IntercomdError, RequestRefused, RetryLater
from intercomd_daemon.forward.replies import LOOP, Reply, Result
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.passed_agents import header_of, passed_agents
from intercomd_daemon.rpc.pem import load_authorities, load_pair
from intercomd_daemon.rpc.tls import FILE_BYTES_MAX
from intercomd_daemon.watched_file import FileUnusable, WatchedFile

CALL_SECONDS = 30.0
"""Deadline of one call: a gateway answers after its commit, which takes seconds on a slow disk."""
PREVIEW_RETRY_SECONDS = 5.0
"""The longest pause that the contract allows: a gateway that is away is rarely back sooner."""
PROBE = "intercomd-probe"
"""Customer id, event name and envelope id of the probe, which is validated and never stored."""
_SERVICE = "/intercomd.v1.IngestService/"
_DETAILS = "grpc-status-details-bin"
# gRPC connects again after at most 5 s; every attempt of ours that comes earlier fails at once.
_CHANNEL = PublisherSettings(backoff_seconds_max=5.0)
_PREVIEW_TAG = bytes([PreviewRequest.ENVELOPES_FIELD_NUMBER << 3 | 2])
_WITHOUT_FINDINGS = {number: Result(number) for number in Disposition.values()}

Response = TypeVar("Response", PublishResponse, PreviewResponse)


class UpstreamUnusable(IntercomdError):
    """The gateway cannot be called: a file of `[upstream]` is missing or invalid."""


class Gateway:
    """The gateway's IngestService."""

    def __init__(self, settings: UpstreamSettings, call_seconds: float = CALL_SECONDS) -> None:
        """Opens nothing yet.

        Raises:
            UpstreamUnusable: the token file or a TLS file cannot be used.
        """
        _check_files(settings)
        self.target = settings.target
        self._call_seconds = call_seconds
        tls = settings.tls
        try:
            self._access = Access(
                settings.target,
                _CHANNEL,
                credentials=None,
                tls=Tls(
                    ca_file=tls.ca_file or None,
                    cert_file=tls.certificate_file or None,
                    key_file=tls.key_file or None,
                    server_name=tls.server_name or None,
                )
                if settings.uses_tls
                else None,
                token=None,
                token_file=settings.token_file or None,
                metadata=(),
            )
        except ValueError as error:
            raise UpstreamUnusable(f"upstream.{error}") from error
        self._channel: grpc.aio.Channel | None = None

    async def publish(self, envelopes: Sequence[bytes], agent_id: str, sequence: int, spool_id: str) -> Reply:
        """Forwards encoded envelopes of one connection to the gateway's spool of this id."""
        forwarder = Forwarder(agent_id=agent_id, sequence=sequence, spool_id=spool_id)
        request = _frames(envelopes, ENVELOPES_TAG) + PublishRequest(forwarder=forwarder).SerializeToString()
        return await self._publish(request, agent_id)

    async def probe(self, connection: str, agent_id: str) -> Reply:
        """Checks whether this agent may publish to a connection, and which spool the gateway has; stores nothing.

        A gateway that is an agent itself passes the probe on.
        """
        envelope = Envelope(
            envelope_id=PROBE,
            connection=connection,
            identity=Identity(customer_id=PROBE),
            custom_event=CustomEvent(name=PROBE),
        )
        request = PublishRequest(envelopes=[envelope], validate_only=True)
        return await self._publish(request.SerializeToString(), agent_id)

    async def validate(self, envelopes: Sequence[bytes]) -> PublishResponse | None:
        """Returns the gateway's response to `validate_only`; None if it is away.

        Raises:
            RequestRefused: the gateway refuses the request.
            ForwardingLoop: the request comes from another agent, and the gateways lead back to one of them.
        """
        passed = passed_agents.get()
        request = _frames(envelopes, ENVELOPES_TAG) + PublishRequest(validate_only=True).SerializeToString()
        response = await self._call("Publish", request, PublishResponse, passed)
        if isinstance(response, PublishResponse):
            return response
        if response.reason == LOOP and len(passed) > 1:
            raise ForwardingLoop(passed[-1])
        _check_refused(response)
        return None

    async def preview(self, envelopes: Sequence[bytes]) -> PreviewResponse:
        """Returns the gateway's preview.

        Raises:
            RequestRefused: the gateway refuses the request.
            RetryLater: it is away, or does not accept the agent.
        """
        request = _frames(envelopes, _PREVIEW_TAG)
        response = await self._call("Preview", request, PreviewResponse, passed_agents.get())
        if isinstance(response, PreviewResponse):
            return response
        _check_refused(response)
        text = f"previews come from the gateway {self.target}, which returned {response.code}: {response.message}"
        raise RetryLater(text, response.retry_after_seconds or PREVIEW_RETRY_SECONDS)

    def token(self) -> str:
        """Returns the agent's token; empty if it has none."""
        return "".join(text for name, text in self._access.metadata() if name == "authorization")

    async def close(self) -> None:
        """Cancels the calls in flight and closes the connection."""
        if self._channel is not None:
            await self._channel.close()

    async def _publish(self, request: bytes, agent_id: str) -> Reply:
        response = await self._call("Publish", request, PublishResponse, (agent_id,))
        if isinstance(response, Reply):
            return response
        results = tuple(_result(each) for each in response.results)
        return Reply("OK", spool_id=response.spool.spool_id, results=results)

    async def _call(self, method: str, request: bytes, kind: type[Response], agents: Sequence[str]) -> Response | Reply:
        """Calls a method; `agents` are those that the call passes, this one last."""
        if self._channel is None or self._access.tls_changed():
            previous, self._channel = self._channel, self._open()
            if previous is not None:
                await previous.close(self._call_seconds)  # calls of other connections may end
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(_SERVICE + method)
        metadata = (*self._access.metadata(), *header_of(agents))
        try:
            return kind.FromString(await call(request, timeout=self._call_seconds, metadata=metadata))
        except grpc.aio.AioRpcError as error:
            return read_error(error.code().name, error.details() or "", error.trailing_metadata())
        except DecodeError as error:
            return Reply(grpc.StatusCode.INTERNAL.name, f"the response is not a {kind.DESCRIPTOR.name} ({error})")

    def _open(self) -> grpc.aio.Channel:
        credentials = self._access.channel_credentials()
        options = self._access.channel_options()
        if credentials is None:
            return grpc.aio.insecure_channel(self._access.target, options)
        return grpc.aio.secure_channel(self._access.target, credentials, options)


def _frames(envelopes: Sequence[bytes], tag: bytes) -> bytes:
    """Returns the envelopes in the wire format of a request. The encoded other fields may be appended to it."""
    return b"".join([part for each in envelopes for part in (tag, length_prefix(len(each)), each)])


def _check_refused(reply: Reply) -> None:
    if reply.code == "INVALID_ARGUMENT":
        raise RequestRefused("envelopes", f"the gateway refuses the request: {reply.message}")


def _result(message: EnvelopeResult) -> Result:
    if not message.violations and not message.adjustments:
        return _WITHOUT_FINDINGS.get(message.disposition) or Result(message.disposition)
    return Result(message.disposition, _findings(message.violations), _findings(message.adjustments))


def _findings(messages: Iterable[Any]) -> tuple[Finding, ...]:
    return tuple(Finding(each.reason, each.field, each.message) for each in messages)


def read_error(code: str, message: str, trailers: Iterable[tuple[str, str | bytes]]) -> Reply:
    """Returns the error status of a call with its google.rpc details."""
    trailers = tuple(trailers)
    info = ErrorInfo()
    encoded = dict(trailers).get(_DETAILS)
    if isinstance(encoded, bytes):
        _unpack(encoded, info)
    retry_after = retry_after_seconds(trailers)
    return Reply(code, message, retry_after, info.reason, info.metadata.get("spool_id", ""))


def _unpack(encoded: bytes, info: Message) -> None:
    """Reads the first detail of this type; details that are not protobuf count as absent."""
    try:
        for detail in Status.FromString(encoded).details:
            if detail.Unpack(info):
                return
    except DecodeError:
        info.Clear()


def _check_files(settings: UpstreamSettings) -> None:
    """Checks the token file and the TLS files, as they are now.

    Raises:
        UpstreamUnusable: one is missing or invalid.
    """
    tls = settings.tls
    for key, path in (
        ("token_file", settings.token_file),
        ("tls.ca_file", tls.ca_file),
        ("tls.certificate_file", tls.certificate_file),
        ("tls.key_file", tls.key_file),
    ):
        try:
            if path:
                WatchedFile(path, FILE_BYTES_MAX).read()
        except FileUnusable as error:
            raise UpstreamUnusable(f"upstream.{key}: {error}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if tls.ca_file:
            load_authorities(context, tls.ca_file)
        if tls.certificate_file:
            load_pair(context, tls.certificate_file, tls.key_file)
    except FileUnusable as error:
        raise UpstreamUnusable(f"upstream.tls: {error}") from error
