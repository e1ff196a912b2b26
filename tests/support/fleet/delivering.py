"""The delivering halves of daemons that share a spool in PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from database.server import spool_url
from delivery.worker import Notes, envelope, event, row
from intercomd_daemon import config
from intercomd_daemon.app.connections import Connections
from intercomd_daemon.app.operators import Operators
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool, open_spool
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings


class Daemon:
    """The delivering half of a daemon, and its operators."""

    def __init__(self, settings: config.Settings, spool: PostgresqlSpool) -> None:
        self.connections = Connections(settings, lambda _: None)
        self.spool = spool
        self.notes = Notes()
        self.operators = Operators(self.connections, lambda: spool)

    async def publish(self, name: str, user: str = "u1") -> None:
        await self.spool.append([row(envelope(name, user, None, event("came")))])

    async def ended(self, *names: str) -> list[OutcomeType]:
        """Waits until this daemon has ended envelopes of these ids; returns how."""
        await self.notes.until(lambda notes: {each.envelope_id for each in notes.outcomes} >= {*names})
        found = {each.envelope_id: each.type for each in self.notes.outcomes}
        return [found[name] for name in names]

    async def stop(self) -> None:
        self.connections.stop()
        await self.connections.wait_stopped()
        await self.connections.close()
        await self.spool.close()
        assert self.connections.faults() == []


Start = Callable[[config.Settings], Awaitable[Daemon]]


@asynccontextmanager
async def fleet() -> AsyncIterator[Start]:
    """Yields what starts one more daemon on one new spool; stops all at the end."""
    started: list[Daemon] = []
    url = spool_url()

    async def start(settings: config.Settings) -> Daemon:
        # No busy machine stops a daemon for as long as the lease lasts.
        named = PostgresqlSettings(url=url, daemon_id=f"daemon-{len(started)}", lease_seconds=60.0)
        spool = await open_spool(named)
        daemon = Daemon(settings, spool)
        started.append(daemon)
        await daemon.connections.start(daemon.spool, daemon.notes, shared=True)
        return daemon

    yield start
    for daemon in started:
        await daemon.stop()
