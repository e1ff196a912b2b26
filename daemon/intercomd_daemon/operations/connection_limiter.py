"""Limits the open connections of an HTTP listener: a further one is closed at once."""

import asyncio
from collections.abc import Callable

CONNECTIONS_MAX = 64
"""Open at once on one listener: probes, scrapers and people, each with one or two."""


class ConnectionLimiter:
    """A protocol factory for an asyncio server, which serves at most CONNECTIONS_MAX connections."""

    def __init__(self, serve: Callable[[], asyncio.Protocol]) -> None:
        """`serve` makes the protocol of a connection within the limit."""
        self.serve = serve
        self.open = 0
        """Connections that are being served."""

    def __call__(self) -> asyncio.Protocol:
        """Returns the protocol of a new connection, which may be above the limit."""
        return _LimitedConnection(self)


class _LimitedConnection(asyncio.Protocol):
    """Passes everything to the served protocol, or closes the connection where it is one too many."""

    def __init__(self, limiter: ConnectionLimiter) -> None:
        self._limiter = limiter
        self._served: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._limiter.open >= CONNECTIONS_MAX:
            transport.close()
            return
        self._limiter.open += 1
        self._served = self._limiter.serve()
        self._served.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._served is not None:
            self._limiter.open -= 1
            self._served.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._served is not None:
            self._served.data_received(data)

    def eof_received(self) -> bool | None:
        return self._served.eof_received() if self._served is not None else None

    def pause_writing(self) -> None:
        if self._served is not None:
            self._served.pause_writing()

    def resume_writing(self) -> None:
        if self._served is not None:
            self._served.resume_writing()
