"""A server in Intercom's place that accepts every event and keeps nothing, however many come.

It prints its port. The sandbox keeps all calls, so that its memory would grow with the row's.
"""

import asyncio
import json
import time
from email.utils import formatdate

_ADMIN = json.dumps({"type": "admin", "id": "1", "app": {"type": "app", "id_code": "sandbox", "region": "US"}}).encode()
# Intercom responds to an event with 202 and an empty body. The limit is the sandbox's without a limit.
_RESPONSE = (
    "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nDate: %s\r\n"
    "X-RateLimit-Limit: 1000000\r\nX-RateLimit-Remaining: 999999\r\nX-RateLimit-Reset: %d\r\n\r\n"
)
_WINDOW_SECONDS = 10
_LENGTH = b"Content-Length: "


class Connection(asyncio.Protocol):
    """A connection: a client sends its next request after the response to the last one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts with an empty request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Responds once the request is complete."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0] or 0)
        if end and len(body) >= length:
            status, answer = ("200 OK", _ADMIN) if head.startswith(b"GET /me ") else ("202 Accepted", b"")
            now = time.time()
            reset = (now // _WINDOW_SECONDS + 1) * _WINDOW_SECONDS
            text = _RESPONSE % (status, len(answer), formatdate(now, usegmt=True), reset)
            self._transport.write(text.encode() + answer)
            self._received = b""


async def serve() -> None:
    """Serves until it is killed."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - to the parent
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
