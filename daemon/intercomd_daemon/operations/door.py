"""Limits the open connections of an HTTP listener: a further one is closed at once."""

import asyncio
from collections.abc import Callable

CONNECTIONS_MAX = 64
"""Open at once on one listener: probes, scrapers and people, each with one or two."""


class Door:
    """Makes a protocol for each connection, as an asyncio server asks for it."""

    def __init__(self, serve: Callable[[], asyncio.Protocol]) -> None:
        """`serve` makes the protocol of a connection that is let in."""
        self.serve = serve
        self.inside = 0
        """Connections that are open."""

    def __call__(self) -> asyncio.Protocol:
        """Somebody is at the door."""
        return _Guest(self)


class _Guest(asyncio.Protocol):
    """A connection, which has come in or not."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._served: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._door.inside >= CONNECTIONS_MAX:
            transport.close()
            return
        self._door.inside += 1
        self._served = self._door.serve()
        self._served.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._served is not None:
            self._door.inside -= 1
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
