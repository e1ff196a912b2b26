"""A running ingest service with a client, and a check of refused calls."""

from collections.abc import Awaitable
from typing import Self

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from ingest.acceptance import RecordingReport
from intercomd.v1 import event_pb2, identity_pb2
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.responses import PreviewedRequest
from intercomd_daemon.ingest.service import SERVICE, IngestService
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.spool.base import Intake

NOW = 1_760_000_000.5
LIMITS = IngestSettings()
RULES = {"default": ConnectionSettings(name="default")}
TIMEOUT_SECONDS = 60
OPTIONS = [("grpc.max_receive_message_length", 4 * LIMITS.request_bytes_max), ("grpc.max_send_message_length", -1)]


def preview(connection: str, envelope: AcceptedEnvelope) -> list[PreviewedRequest]:
    return [PreviewedRequest("POST", "/events", f'{{"{connection}":"{event.name}"}}') for event in envelope.events]


class Served:
    """A running service and its client."""

    def __init__(self, spool: Intake, report: RecordingReport) -> None:
        acceptor = Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, decide)
        self.service = IngestService(acceptor, preview, spool.usage, LIMITS, lambda: NOW)
        self.server = grpc.aio.server(options=OPTIONS)
        self.service.add_to(self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    async def __aenter__(self) -> Self:
        await self.server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=OPTIONS)
        self.stub = IngestServiceStub(self.channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self.server.stop(None)

    def raw(self, method: str, data: bytes) -> Awaitable[bytes]:
        """Calls a method with raw bytes."""
        return self.channel.unary_unary(f"/{SERVICE}/{method}")(data, timeout=TIMEOUT_SECONDS)


def envelope(name: str = "", **given: object) -> Envelope:
    fields = {
        "identity": identity_pb2.Identity(customer_id="u-1"),
        "event_time": {"seconds": int(NOW) - 50},
        "custom_event": event_pb2.CustomEvent(name="Order placed"),
    }
    return Envelope(envelope_id=name, **fields | given)


async def refused(call: Awaitable[object], code: grpc.StatusCode, detail: Message) -> grpc.aio.AioRpcError:
    """Returns the error of a call, with its detail unpacked into `detail`."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    status = Status.FromString(dict(error.value.trailing_metadata())["grpc-status-details-bin"])
    assert (error.value.code(), status.code, status.message) == (code, code.value[0], error.value.details())
    assert status.details[0].Unpack(detail)
    return error.value
