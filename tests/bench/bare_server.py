"""The limit of single envelopes: a grpc.aio server that answers the same messages at once."""

import asyncio
from typing import Any

import grpc

from intercomd.v1 import ingest_pb2_grpc
from intercomd.v1.ingest_pb2 import EnvelopeResult, PublishRequest, PublishResponse, SpoolStatus


class AtOnce(ingest_pb2_grpc.IngestServiceServicer):
    """Accepts everything."""

    async def Publish(self, request: PublishRequest, _context: object) -> PublishResponse:  # noqa: N802 - its name
        """Reads only the ids."""
        results = [EnvelopeResult(envelope_id=envelope.envelope_id, disposition=1) for envelope in request.envelopes]
        return PublishResponse(results=results, spool=SpoolStatus(envelopes=1, bytes=1, fill_ratio=0.1))


async def serve(opened: Any) -> None:  # noqa: ANN401 - what to call with the port
    """Serves until it is killed."""
    server = grpc.aio.server()
    ingest_pb2_grpc.add_IngestServiceServicer_to_server(AtOnce(), server)
    opened(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(lambda port: print(port, flush=True)))  # noqa: T201 - to the parent
