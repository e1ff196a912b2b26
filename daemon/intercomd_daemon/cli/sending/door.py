"""The door for senders: whether an intercomd is behind an address, and its Preview."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc

from intercomd.v1.ingest_pb2 import PreviewRequest, PreviewResponse
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd_daemon.cli.failures import Failed
from intercomd_daemon.cli.remote import CALL_SECONDS, failure_of, open_channel

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""Of a preview: an envelope may become 1 MiB."""
_RECEIVE = ("grpc.max_receive_message_length", ANSWER_BYTES_MAX)


class Door:
    """The ingest service, as far as nothing is handed over."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = IngestServiceStub(channel)

    async def knock(self) -> None:
        """Asks what no intercomd answers well: a preview of nothing.

        Raises:
            grpc.aio.AioRpcError: nobody is there, or somebody else.
        """
        try:
            await self.preview(PreviewRequest())
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise

    async def preview(self, request: PreviewRequest) -> PreviewResponse:
        """What envelopes would become."""
        return await self._stub.Preview(request, timeout=CALL_SECONDS)


@asynccontextmanager
async def open_door(address: str) -> AsyncGenerator[Door, None]:
    """The door at an address, with somebody behind it. Failures of calls leave as `Failed`."""
    async with open_channel(address, _RECEIVE) as channel:
        door = Door(channel)
        try:
            await door.knock()
            yield door
        except grpc.aio.AioRpcError as error:
            raise Failed(failure_of(error, address, "target")) from None
