"""Writes `spool_0_1.db.gz` with the code of 0.1, which must be on PYTHONPATH: `python write_spool_0_1.py`.

Waiting envelopes with and without an update, a half-delivered one, a parked lane, dead letters, and a replay.
"""

import asyncio
import gzip
import sqlite3
import tempfile
from pathlib import Path

from intercomd_daemon.envelope import AcceptedEnvelope, Event, Priority, lane_of
from intercomd_daemon.outcome import Effect, EffectKind, Outcome, OutcomeType, Progress
from intercomd_daemon.spool.base import Ended
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import DeadLetterFilter, Incoming, Settlement
from intercomd_daemon.spool.sqlite.engine import open_spool
from intercomd_daemon.spool.sqlite.settings import SpoolSettings

NOON = 1_795_000_000.0
DELIVERED, DEAD = OutcomeType.DELIVERED, OutcomeType.DEAD_LETTERED
CONTACT = Effect(EffectKind.CONTACT, "", 0, DELIVERED, "", 200, "r1", 1)


def event(name: str, type_: OutcomeType) -> Effect:
    """Returns the effect of an event."""
    return Effect(EffectKind.EVENT, name, int(NOON), type_, "", 202, "r2", 1)


def envelope(name: str, user: str, update: dict[str, str], *events: str, email: str = "") -> AcceptedEnvelope:
    """Returns an envelope."""
    made = tuple(Event(each, int(NOON) + index, b'{"n":1.50}') for index, each in enumerate(events))
    return AcceptedEnvelope(name, user, email, NOON, update, made, (), "", b"\n\x01x")


def ended(key: int, what: AcceptedEnvelope, *effects: Effect) -> Ended:
    """Returns the end of an envelope as a dead letter."""
    outcome = Outcome(
        what.envelope_id, "default", what.customer_id, what.email, DEAD, "BAD", NOON, NOON, effects, (), what.replay
    )
    return Ended(key, outcome, what, "no")


async def main() -> None:
    """Fills a spool and writes its file, compressed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spool.db"
        spool = await open_spool(SpoolSettings(str(path), free_bytes_min=0, connections=("default",)))
        envelopes = [
            envelope("both", "ann", {"plan": "pro"}, "one", "two"),
            envelope("event", "bob", {}, "one", "two", email="bob@x.org"),
            envelope("update", "cid", {"plan": "pro"}),
            envelope("half", "dan", {"plan": "pro"}, "one", "two"),
            envelope("half-email", "eve", {}, "one", "two", email="eve@x.org"),
            envelope("half-plain", "fay", {}, "one", "two"),
            envelope("parked", "gil", {"plan": "pro"}, "one"),
            envelope("replayed", "hal", {"plan": "pro"}, "one", "two"),
            envelope("dead-email", "ida", {}, "one", "two", email="ida@x.org"),
            envelope("dead", "jim", {"plan": "pro"}, "one", "two"),
        ]
        rows = [
            Incoming("default", Priority.NORMAL, lane_of(e.customer_id, e.email), e.envelope_id, pack(e))
            for e in envelopes
        ]
        keys = await spool.append(rows)
        replayed = ended(keys[7], envelopes[7], CONTACT, event("one", DELIVERED), event("two", DEAD))
        await spool.settle([Settlement("default", [replayed])])
        await spool.replay(DeadLetterFilter(), 1)
        dead = [
            ended(keys[8], envelopes[8], CONTACT, event("one", DEAD), event("two", DELIVERED)),
            ended(keys[9], envelopes[9], CONTACT, event("one", DELIVERED), event("two", DEAD)),
        ]
        progress = [
            (keys[3], pack(Progress((CONTACT, event("one", DELIVERED)), 1))),
            (keys[4], pack(Progress((CONTACT, event("one", DELIVERED)), 1))),
            (keys[5], pack(Progress((event("one", DELIVERED),), 1))),
        ]
        await spool.settle([Settlement("default", dead, progress)])
        await spool.park("default", "c:gil", keys[6:7], NOON, 1)
        await spool.close()
        database = sqlite3.connect(path)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        data = gzip.compress(path.read_bytes(), mtime=0)
    Path(__file__).with_name("spool_0_1.db.gz").write_bytes(data)


asyncio.run(main())
