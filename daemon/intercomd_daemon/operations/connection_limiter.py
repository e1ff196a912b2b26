"""Limits the open connections of an HTTP listener. With TLS, handshakes count too.

A further connection takes the place of the one that has been silent for longest. Otherwise 64 peers that send nothing,
or that read no response, would make probes fail, and an orchestrator would restart the daemon.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

CONNECTIONS_MAX = 64
"""Open at once on one listener: probes, scrapers and people, each with one or two."""
HANDSHAKE_SECONDS = 10.0
"""Time for the TLS handshake: a connection that never sends anything is closed."""


class ConnectionLimiter:
    """A protocol factory for an asyncio server, which serves at most CONNECTIONS_MAX connections."""

    def __init__(self, serve: Callable[[], asyncio.Protocol]) -> None:
        """`serve` makes the protocol of a connection within the limit."""
        self.serve = serve
        self._open: dict[_LimitedConnection, None] = {}  # The longest silent one first.
        self.handshakes: set[asyncio.Task[None]] = set()
        """TLS handshakes in progress."""

    def __call__(self) -> asyncio.Protocol:
        """Returns the protocol of a new connection."""
        return _LimitedConnection(self, None)

    def with_tls(self, context: Callable[[], ssl.SSLContext]) -> Callable[[], asyncio.Protocol]:
        """Returns a protocol factory for connections with TLS; `context` returns the context of a new connection."""
        return lambda: _LimitedConnection(self, context)

    def admit(self, connection: "_LimitedConnection") -> None:
        """Counts a new connection, after closing the longest silent one if there are CONNECTIONS_MAX."""
        if len(self._open) >= CONNECTIONS_MAX:
            next(iter(self._open)).abort()
        self._open[connection] = None

    def heard(self, connection: "_LimitedConnection") -> None:
        """Notes that a connection has sent something."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def release(self, connection: "_LimitedConnection") -> None:
        """Counts a connection no more."""
        self._open.pop(connection, None)


class _LimitedConnection(asyncio.Protocol):
    """Passes everything to the served protocol.

    With TLS it starts the handshake itself, because asyncio's server keeps one context: a new certificate, or the
    removal of a client CA, takes effect with the next connection.
    """

    def __init__(self, limiter: ConnectionLimiter, context: Callable[[], ssl.SSLContext] | None) -> None:
        self._limiter = limiter
        self._context = context
        self._transport: asyncio.Transport
        self._served: asyncio.Protocol | None = None
        self._lost = False
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._limiter.admit(self)
        if self._context is None:
            self._serve(self._transport)
            return
        # The event loop runs the first step of this task before it reads from the socket.
        handshake = asyncio.create_task(self._start_tls(self._transport, self._context()))
        self._limiter.handshakes.add(handshake)
        handshake.add_done_callback(self._limiter.handshakes.discard)

    async def _start_tls(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        encrypted: asyncio.Transport | None = None
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        except OSError:  # The client's fault, or its end: an SSLError is an OSError too.
            pass
        finally:
            if encrypted is None:
                self._limiter.release(self)
        if encrypted is not None and not self._lost:
            self._serve(encrypted)

    def _serve(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._served = self._limiter.serve()
        self._served.connection_made(transport)
        if self._early:
            self._served.data_received(self._early)
            self._early = b""

    def abort(self) -> None:
        """Closes the connection at once, without what it has not read yet."""
        self._limiter.release(self)
        self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._limiter.release(self)
        if self._served is not None:
            self._served.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        self._limiter.heard(self)
        if self._served is not None:
            self._served.data_received(data)
        else:
            self._early += data  # The first request may be read with the end of the handshake.

    def eof_received(self) -> bool | None:
        return self._served.eof_received() if self._served is not None else None

    def pause_writing(self) -> None:
        if self._served is not None:
            self._served.pause_writing()

    def resume_writing(self) -> None:
        if self._served is not None:
            self._served.resume_writing()
