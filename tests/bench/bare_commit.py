"""The limit of an acknowledgement: one commit with full sync, at the same rate."""

import sqlite3
import sys
import time
from threading import Event
from typing import Any

from questions import answer_all

DATA = bytes(300)


class Commits:
    """A table with rows of 300 bytes."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}").fetchall()
        self._database.execute("CREATE TABLE log (position INTEGER PRIMARY KEY, data BLOB NOT NULL)")

    def beat(self, count: int, size: int, per_second: float) -> dict[str, Any]:
        """Commits at fixed times; returns the milliseconds of each commit."""
        rest = Event()
        begin = time.perf_counter() + 0.1
        taken = []
        for number in range(count):
            at = begin + number / per_second
            rest.wait(max(0.0, at - time.perf_counter()))
            started = time.perf_counter()
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO log (data) VALUES (?)", [(DATA,)] * size)
            self._database.execute("COMMIT")
            taken.append((time.perf_counter() - started) * 1000)
        return {"milliseconds": taken}


if __name__ == "__main__":
    commits = Commits(sys.argv[1])
    answer_all({"beat": commits.beat})
