"""Conditions of queries on the spool's tables."""

import json
from collections.abc import Mapping, Sequence

from intercomd_daemon.spool.sqlite.counters import Counters


class Where:
    """Clauses that must all hold, and their values. As text, they continue a query after its first clause."""

    def __init__(self) -> None:
        self._clauses: list[str] = []
        self.values: list[object] = []

    def add(self, clause: str, *values: object) -> None:
        """Adds a clause; each `?` in it stands for a value."""
        self._clauses.append(clause)
        self.values += values

    def equals(self, column: str, value: str | bytearray) -> None:
        """Adds that a column has this value; an empty one matches all."""
        if value:
            self.add(f"{column} = ?", value)

    def equals_any(self, wanted: Mapping[str, object]) -> None:
        """Adds that one of the columns has its value; without columns, all match."""
        if wanted:
            self.add(f"({' OR '.join(f'{column} = ?' for column in wanted)})", *wanted.values())

    def is_among(self, column: str, numbers: Sequence[int]) -> None:
        """Adds that a column has one of these numbers."""
        self.add(f"{column} IN (SELECT value FROM json_each(?))", json.dumps(numbers))  # noqa: S608 - our own columns

    def connections(self, counters: Counters, connection: str, allowed: Sequence[str] | None) -> None:
        """Adds the connection, of which an empty one matches all, and the allowed ones; None: all."""
        if connection:
            self.add("connection = ?", counters.number(connection))
        if allowed is not None:
            self.is_among("connection", [counters.number(name) for name in allowed])

    def __str__(self) -> str:
        return "".join(f" AND {clause}" for clause in self._clauses)
