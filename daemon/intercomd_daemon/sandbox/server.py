"""The HTTP server of the sandbox: reads requests, sends answers, and performs faults on connections.

The function `receive` decides the answer without waiting.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import NoReturn

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from intercomd_daemon.sandbox.faults import Action, Fault
from intercomd_daemon.sandbox.http_messages import HttpResponse, ReceivedRequest

BODY_BYTES_MAX = 64 << 20
"""Bodies above this get a 413 from aiohttp; the limit of the workspace is far below."""
SLOW_PIECES = 10
ACCEPTING_PASSES = 3
"""Passes of the event loop in which asyncio accepts a connection; one is to spare."""
SHUTDOWN_SECONDS = 5.0
"""Time for handlers to end after their connections are aborted; they end at once."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The answer to a request, the fault in sending it, if any, and a function to call at its end."""

    answer: HttpResponse
    fault: Fault | None
    end: Callable[[], None]


class Server:
    """A server on one address. Stopping it simulates an outage: every connection is aborted."""

    def __init__(self, receive: Callable[[ReceivedRequest], Exchange], clock: Callable[[], float]) -> None:
        self._receive = receive
        self._clock = clock
        self._listener: asyncio.Server | None = None
        self._connections: web.Server | None = None
        self._date = (0, "")

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    async def start(self, host: str, port: int) -> int:
        """Listens, and returns the port; 0 requests any free one.

        Raises:
            OSError: the address is in use or not local.
        """
        loop = asyncio.get_running_loop()
        # Handlers are cancelled when their client disconnects: this ends those in `_until_lost`.
        connections = web.Server(
            self._handle, handler_cancellation=True, request_factory=self._request, access_log=None
        )
        self._listener = await loop.create_server(connections, host, port, reuse_address=True)
        self._connections = connections
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stops listening and cuts every connection."""
        listener, connections = self._listener, self._connections
        if listener is None or connections is None:
            return
        self._listener = self._connections = None
        # A connection that is being accepted while its server is closed would stay open, unknown to both.
        for listening in listener.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(ACCEPTING_PASSES):
            await asyncio.sleep(0)
        listener.close()
        for connection in connections.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await connections.shutdown(SHUTDOWN_SECONDS)
        await listener.wait_closed()

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BODY_BYTES_MAX)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if not self.running:
            await _lose(request)
        path, _, query = request.raw_path.partition("?")
        exchange = self._receive(ReceivedRequest(request.method, path, query, request.headers, body))
        try:
            return await self._deliver(request, exchange)
        finally:
            exchange.end()

    async def _deliver(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        answer, fault = exchange.answer, exchange.fault
        if fault is None:
            return self._response(answer)
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        match fault.action:
            case Action.CUT_BEFORE | Action.CUT_AFTER:
                await _lose(request)
            case Action.HANG | Action.HANG_AFTER:
                await _until_lost()
            case Action.CUT_MIDDLE:
                await self._send_half(request, answer)
            case Action.SLOW:
                return await self._send_slowly(request, answer, fault.slow_seconds)
        return self._response(answer)

    def _response(self, answer: HttpResponse) -> web.Response:
        return web.Response(status=answer.status, body=answer.body, headers=self._headers(answer))

    async def _send_half(self, request: web.BaseRequest, answer: HttpResponse) -> NoReturn:
        body = answer.body or b"{}"
        response = web.StreamResponse(status=answer.status, headers=self._headers(answer))
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()  # after what has been written
        await _until_lost()

    async def _send_slowly(self, request: web.BaseRequest, answer: HttpResponse, seconds: float) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=self._headers(answer))
        response.content_length = len(answer.body)
        await response.prepare(request)
        size = max(1, -(-len(answer.body) // SLOW_PIECES))
        for start in range(0, len(answer.body), size):
            await asyncio.sleep(seconds / SLOW_PIECES)
            await response.write(answer.body[start : start + size])
        return response

    def _headers(self, answer: HttpResponse) -> dict[str, str]:
        second = int(self._clock())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True))
        headers = {"Date": self._date[1], "Server": "intercomd-sandbox"}
        if answer.body:
            headers["Content-Type"] = "application/json; charset=utf-8"
        headers.update(answer.headers)
        return headers


async def _lose(request: web.BaseRequest) -> NoReturn:
    if request.transport is not None:
        request.transport.abort()
    await _until_lost()


async def _until_lost() -> NoReturn:
    # Ends by cancellation when the connection is lost.
    await asyncio.get_running_loop().create_future()
    raise AssertionError
