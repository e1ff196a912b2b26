"""The limit of accepting: one thread that reads requests from memory and writes their envelopes to disk.

Parse, look at each field once, copy out the bytes, insert into a table with an index by user and a unique one by
envelope id, commit with full sync.
"""

import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from envelopes import batches
from messages import read_messages
from questions import answer_all

from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import PublishRequest


class Loop:
    """The loop and its table."""

    def __init__(self, path: str) -> None:
        self._requests: list[bytes] = []
        self._database = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA locking_mode = EXCLUSIVE",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE log (position INTEGER PRIMARY KEY, id TEXT NOT NULL, user TEXT NOT NULL, data BLOB NOT NULL)",
            "CREATE UNIQUE INDEX log_by_id ON log (id)",
            "CREATE INDEX log_by_user ON log (user)",
        ):
            self._database.execute(statement).fetchall()

    def prepare(self, first: int, count: int, size: int) -> dict[str, Any]:
        """Encodes the requests to come."""
        self._requests = [PublishRequest(envelopes=batch).SerializeToString() for batch in batches(first, count, size)]
        return {}

    def read(self, file: str) -> dict[str, Any]:
        """Reads the requests to come."""
        self._requests = list(read_messages(Path(file)))
        return {}

    def run(self) -> dict[str, Any]:
        """Accepts all of them."""
        execute, executemany = self._database.execute, self._database.executemany
        begin = time.perf_counter()
        for data in self._requests:
            request = PublishRequest.FromString(data)
            rows = [(*look(envelope), envelope.SerializeToString()) for envelope in request.envelopes]
            execute("BEGIN")
            executemany("INSERT INTO log (id, user, data) VALUES (?, ?, ?)", rows)
            execute("COMMIT")
        return {"seconds": time.perf_counter() - begin}


def look(envelope: Envelope) -> tuple[str, str]:
    """Reads each field once; returns the id and the user."""
    identity = envelope.identity
    seen: list[object] = [identity.email, envelope.connection, envelope.source, envelope.environment, envelope.priority]
    seen += (envelope.event_time.seconds, envelope.traceparent, envelope.HasField("event_time"))
    event = getattr(envelope, envelope.WhichOneof("event"))
    seen += (event.name, event.type)
    for attribute in (*envelope.user_attributes, *event.attributes):
        value = attribute.value
        seen += (attribute.name, getattr(value, value.WhichOneof("kind")))
    return envelope.envelope_id, identity.customer_id


if __name__ == "__main__":
    loop = Loop(sys.argv[1])
    answer_all({"prepare": loop.prepare, "read": loop.read, "run": loop.run})
