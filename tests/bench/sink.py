"""A gateway that accepts everything at once: what an agent alone can forward.

It prints its port, then answers each line of its input with the envelopes so far, and the seconds between the first and
the last request since a line that says "begin".
"""

import asyncio
import json
import sys
import time
from threading import Thread

import grpc

from intercomd.v1.ingest_pb2 import PublishRequest, PublishResponse, SpoolStatus

_ACCEPTED = PublishResponse.FromString(b"\x0a\x02\x10\x01").SerializeToString()
_SPOOL = PublishResponse(spool=SpoolStatus(spool_id="sink")).SerializeToString()


class Sink:
    """Counts what it is sent."""

    def __init__(self) -> None:
        self.envelopes = 0
        self.first = 0.0
        self.last = 0.0

    async def publish(self, request: bytes, _context: object) -> bytes:
        """Accepts a request; only its envelopes are counted."""
        message = PublishRequest.FromString(request)
        count = len(message.envelopes)
        if not message.validate_only:
            self.last = time.monotonic()
            self.first = self.first or self.last
            self.envelopes += count
        return _ACCEPTED * count + _SPOOL

    def answer(self) -> None:
        """Answers the lines of the input."""
        for line in sys.stdin:
            if "begin" in line:
                self.first = 0.0
            taken = {"envelopes": self.envelopes, "seconds": self.last - self.first}
            print(json.dumps(taken), flush=True)  # noqa: T201 - to the parent


async def serve() -> None:
    """Serves until it is killed."""
    sink, server = Sink(), grpc.aio.server()
    handlers = {"Publish": grpc.unary_unary_rpc_method_handler(sink.publish)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("intercomd.v1.IngestService", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)  # noqa: T201 - to the parent
    await server.start()
    Thread(target=sink.answer, daemon=True).start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
