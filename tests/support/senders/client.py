"""Envelopes as senders write them, a stream that sends ahead, and the details of a refused call."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PublishStreamRequest, PublishStreamResponse
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd.values import Value, attributes

NOON = 1_750_000_000
"""Unix seconds of a day that is over, so that no clock moves an event."""


def envelope(
    customer_id: str = "",
    event: str = "",
    *,
    at: int = 0,
    metadata: Mapping[str, Value] | None = None,
    email: str = "",
    update: Mapping[str, Value] | None = None,
    **fields: Any,  # noqa: ANN401 - of the envelope
) -> Envelope:
    """An envelope of a user, with a custom event if one is named, `at` seconds after noon."""
    if event:
        fields["custom_event"] = CustomEvent(name=event, attributes=attributes(metadata or {}))
        fields.setdefault("event_time", Timestamp(seconds=NOON + at))
    identity = Identity(customer_id=customer_id, email=email)
    return Envelope(identity=identity, user_attributes=attributes(update or {}), **fields)


class Refused:
    """What a call ended with, as a caller in any language sees it."""

    def __init__(self, error: Any) -> None:  # noqa: ANN401 - of either kind of channel
        self.code = error.code()
        self.message = error.details() or ""
        self.trailers = dict(error.trailing_metadata() or ())
        self._status = Status.FromString(self.trailers.get("grpc-status-details-bin", b""))

    @property
    def details(self) -> list[Message]:
        """The google.rpc details."""
        unpacked: list[Message] = []
        for packed in self._status.details:
            detail = BadRequest() if packed.Is(BadRequest.DESCRIPTOR) else RetryInfo()
            assert packed.Unpack(detail)
            unpacked.append(detail)
        return unpacked

    @property
    def reason(self) -> str:
        """The reason of its ErrorInfo."""
        info = ErrorInfo()
        assert self._status.details[0].Unpack(info)
        return info.reason

    def must_be_bad(self, field: str) -> None:
        """It is the caller's fault, said as a BadRequest about this field."""
        assert self.code is grpc.StatusCode.INVALID_ARGUMENT, f"{self.code}: {self.message}"
        assert self._status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        (detail,) = self.details
        assert isinstance(detail, BadRequest)
        (violation,) = detail.field_violations
        assert violation.field == field
        assert violation.description
        assert "grpc-retry-pushback-ms" not in self.trailers

    def must_be_not_now(self) -> None:
        """Nothing was taken, and the same request may come again in 1 to 5 seconds, said in both ways."""
        assert self.code is grpc.StatusCode.UNAVAILABLE, f"{self.code}: {self.message}"
        assert self._status.code == grpc.StatusCode.UNAVAILABLE.value[0]
        (detail,) = self.details
        assert isinstance(detail, RetryInfo)
        milliseconds = detail.retry_delay.ToMilliseconds()
        assert 1000 <= milliseconds <= 5000
        assert self.trailers["grpc-retry-pushback-ms"] == str(milliseconds)


class StreamSession(NamedTuple):
    """A stream that is over: its answers, and how it ended if not well."""

    answers: list[PublishStreamResponse]
    refused: Refused | None


async def converse(
    address: str, messages: Sequence[PublishStreamRequest], metadata: Sequence[tuple[str, str]] = ()
) -> StreamSession:
    """Streams all messages as fast as they are taken, and reads the answers.

    Over a blocking channel: an asynchronous one that is writing when a stream ends does not tell how it ended.
    """

    def conversation() -> StreamSession:
        answers: list[PublishStreamResponse] = []
        with grpc.insecure_channel(address) as channel:
            try:
                answers.extend(IngestServiceStub(channel).PublishStream(iter(messages), metadata=metadata))
            except grpc.RpcError as error:
                return StreamSession(answers, Refused(error))
        return StreamSession(answers, None)

    return await asyncio.to_thread(conversation)
