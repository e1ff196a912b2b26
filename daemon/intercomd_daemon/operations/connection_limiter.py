"""Limits the open connections of an HTTP listener: a further one is closed at once. With TLS, handshakes count too."""

import asyncio
import ssl
from collections.abc import Callable

CONNECTIONS_MAX = 64
"""Open at once on one listener: probes, scrapers and people, each with one or two."""
HANDSHAKE_SECONDS = 10.0
"""Time for the TLS handshake: a connection that never sends anything is closed."""


class ConnectionLimiter:
    """A protocol factory for an asyncio server, which serves at most CONNECTIONS_MAX connections."""

    def __init__(self, serve: Callable[[], asyncio.Protocol]) -> None:
        """`serve` makes the protocol of a connection within the limit."""
        self.serve = serve
        self.open = 0
        """Connections that are being served."""
        self.handshakes: set[asyncio.Task[None]] = set()
        """TLS handshakes in progress."""

    def __call__(self) -> asyncio.Protocol:
        """Returns the protocol of a new connection, which may be above the limit."""
        return _LimitedConnection(self, None)

    def with_tls(self, context: Callable[[], ssl.SSLContext]) -> Callable[[], asyncio.Protocol]:
        """Returns a protocol factory for connections with TLS; `context` returns the context of a new connection."""
        return lambda: _LimitedConnection(self, context)


class _LimitedConnection(asyncio.Protocol):
    """Passes everything to the served protocol, or closes the connection where it is one too many.

    With TLS it starts the handshake itself, because asyncio's server keeps one context: a new certificate, or the
    removal of a client CA, takes effect with the next connection.
    """

    def __init__(self, limiter: ConnectionLimiter, context: Callable[[], ssl.SSLContext] | None) -> None:
        self._limiter = limiter
        self._context = context
        self._served: asyncio.Protocol | None = None
        self._counted = False
        self._lost = False
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._limiter.open >= CONNECTIONS_MAX:
            transport.close()
            return
        self._limiter.open += 1
        self._counted = True
        if self._context is None:
            self._serve(transport)
            return
        # The event loop runs the first step of this task before it reads from the socket.
        handshake = asyncio.create_task(self._start_tls(transport, self._context()))
        self._limiter.handshakes.add(handshake)
        handshake.add_done_callback(self._limiter.handshakes.discard)

    async def _start_tls(self, transport: asyncio.BaseTransport, context: ssl.SSLContext) -> None:
        encrypted: asyncio.Transport | None = None
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                transport,  # type: ignore[arg-type]  # a server's transports can be written to
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        except OSError:  # The client's fault, or its end: an SSLError is an OSError too.
            pass
        finally:
            if encrypted is None:
                self._uncount()
        if encrypted is not None and not self._lost:
            self._serve(encrypted)

    def _serve(self, transport: asyncio.BaseTransport) -> None:
        self._served = self._limiter.serve()
        self._served.connection_made(transport)
        if self._early:
            self._served.data_received(self._early)
            self._early = b""

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self._limiter.open -= 1

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._uncount()
        if self._served is not None:
            self._served.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._served is not None:
            self._served.data_received(data)
        elif self._counted:
            self._early += data  # The first request may be read with the end of the handshake.

    def eof_received(self) -> bool | None:
        return self._served.eof_received() if self._served is not None else None

    def pause_writing(self) -> None:
        if self._served is not None:
            self._served.pause_writing()

    def resume_writing(self) -> None:
        if self._served is not None:
            self._served.resume_writing()
