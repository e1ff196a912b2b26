"""A spool in a database with something of each kind, as a daemon has it open."""

import asyncpg

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent
from intercomd_daemon.spool import record
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool, open_spool
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.rows import Incoming, Settlement
from senders.client import envelope
from spool.model import Held, end_of

USERS = ("ann", "bob", "ann", "cid", "dan")


def sent(number: int, user: str) -> Incoming:
    name = f"id-{number}"
    source = envelope(user, "order", metadata={"number": number}).SerializeToString()
    events = (TrackEvent("order", 1_749_999_000 + number, b""),)
    accepted = AcceptedEnvelope(name, user, "", 1_750_000_000.0, events, (), "", source)
    priority = Priority.BULK if number % 2 else Priority.NORMAL
    return Incoming("eu", priority, f"c:{user}", name, record.pack(accepted), recognised=True)


async def filled(url: str) -> PostgresqlSpool:
    """Returns an open spool with five envelopes, the first of which is a dead letter; one user is parked."""
    spool = await open_spool(PostgresqlSettings(url=url, connections=("eu",)))
    rows = [sent(number, user) for number, user in enumerate(USERS)]
    keys = await spool.append(rows)
    outflow = await spool.acquire("w")
    await outflow.settle([Settlement("eu", [end_of(keys[0], Held(rows[0]), "REFUSED")])])
    await outflow.park("eu", "c:ann", keys[2:3], 5.0, 1)
    return spool


async def change(url: str, statement: str) -> None:
    """Performs a statement behind the daemons' back."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "intercomd"})
    await connection.execute(statement)
    await connection.close()
