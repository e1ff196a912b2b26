"""How many envelopes wait, as this process last knew: its own commits at once, those of others at each poll."""

import asyncpg

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.quota import Quota
from intercomd_daemon.spool.rows import LogUsage, Usage

_STATEMENT = """
SELECT c.number, c.name, c.paused, a.normal AS appended_normal, a.bulk AS appended_bulk, a.normal - s.normal AS normal,
    a.bulk - s.bulk AS bulk, a.bytes - s.bytes AS bytes, s.parked_lanes, s.dead_letters, s.normal_head, s.bulk_head,
    coalesce(normal_row.key - 1, a.normal_last) AS new_normal_head,
    coalesce(bulk_row.key - 1, a.bulk_last) AS new_bulk_head,
    least(normal_row.accept_time, bulk_row.accept_time,
        (SELECT accept_time FROM parked WHERE connection = c.number ORDER BY lane, key LIMIT 1)) AS oldest
FROM connections c JOIN appended a ON a.connection = c.number JOIN settled s ON s.connection = c.number
LEFT JOIN LATERAL (SELECT key, accept_time FROM log WHERE key > greatest(s.normal_head, (2 * c.number)::bigint << 48)
    AND key < (2 * c.number + 1)::bigint << 48 ORDER BY key LIMIT 1) AS normal_row ON true
LEFT JOIN LATERAL (SELECT key, accept_time FROM log WHERE key > greatest(s.bulk_head, (2 * c.number + 1)::bigint << 48)
    AND key < (2 * c.number + 2)::bigint << 48 ORDER BY key LIMIT 1) AS bulk_row ON true
ORDER BY c.number
"""
_ADVANCE = """
UPDATE settled SET normal_head = greatest(normal_head, $2), bulk_head = greatest(bulk_head, $3) WHERE connection = $1
"""


class Counters:
    """The counters of all connections."""

    def __init__(self, quota: Quota) -> None:
        """Empty until the first `poll`."""
        self.quota = quota
        self.numbers: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.paused: frozenset[str] = frozenset()
        self.spool_id = ""
        self._usage: dict[int, LogUsage] = {}
        self._heads: dict[int, tuple[int, int]] = {}
        self._appended: dict[int, tuple[int, int]] = {}
        self._refused: dict[str, int] = {}
        self.away = ""

    async def poll(self, connection: asyncpg.Connection) -> list[tuple[str, Priority]]:
        """Reads the counters; returns the logs that grew since the last poll."""
        rows = await connection.fetch(_STATEMENT)
        grown: list[tuple[str, Priority]] = []
        for row in rows:
            number, name = row["number"], row["name"]
            self.numbers[name], self.names[number] = number, name
            appended = (row["appended_normal"], row["appended_bulk"])
            before = self._appended.get(number, appended)
            grown += [
                (name, priority)
                for priority, now, then in zip((Priority.NORMAL, Priority.BULK), appended, before, strict=True)
                if now > then
            ]
            self._appended[number] = appended
            # No row commits below one that was visible, nor below the last key of a log that was empty.
            head = (row["new_normal_head"], row["new_bulk_head"])
            if head != (row["normal_head"], row["bulk_head"]):
                await connection.execute(_ADVANCE, number, *head)
            self._heads[number] = head
        self.paused = frozenset(row["name"] for row in rows if row["paused"])
        # A commit of this process that comes between is counted twice, or not at all, until the next poll.
        self._usage = {row["number"]: _usage_of(row) for row in rows}
        return grown

    def head(self, number: int, priority: Priority) -> int:
        """Returns the key above which the rows of a log are."""
        heads = self._heads.get(number, (0, 0))
        return max(log_start(number, priority), heads[priority is Priority.BULK])

    def appended(self) -> int:
        """Returns the number of rows ever appended, as of the last poll."""
        return sum(normal + bulk for normal, bulk in self._appended.values())

    def number(self, name: str) -> int:
        """Returns the number of a connection; 0 if it has none."""
        return self.numbers.get(name, 0)

    def refusal(self, new: dict[str, int]) -> str:
        """Returns why the quota refuses these bytes by connection; empty if it does not."""
        used = {self.names[number]: usage.bytes for number, usage in self._usage.items()}
        refusal = self.quota.refusal(used, new)
        self._refused = new if refusal else {}
        return refusal

    def of(self, number: int) -> LogUsage:
        """Returns the counters of a connection, to be changed by a commit of this process."""
        return self._usage.setdefault(number, LogUsage())

    def count(self, number: int, priority: Priority, rows: int, size: int, now: float) -> None:
        """Counts rows that were appended, or with negative numbers, that left."""
        usage = self.of(number)
        if priority is Priority.BULK:
            usage.bulk += rows
        else:
            usage.normal += rows
        usage.bytes += size
        waiting = usage.normal + usage.bulk
        usage.oldest_accept_time = (usage.oldest_accept_time or now) if waiting > 0 else 0.0

    def usage(self) -> Usage:
        """Returns a copy of the counters."""
        connections = {
            self.names[number]: LogUsage(
                # Below zero: rows that another daemon appended and this one delivered since the last poll.
                max(0, usage.normal),
                max(0, usage.bulk),
                usage.parked_lanes,
                usage.dead_letters,
                max(0, usage.bytes),
                usage.oldest_accept_time,
            )
            for number, usage in self._usage.items()
        }
        used = {name: usage.bytes for name, usage in connections.items()}
        reason = self.away or (self.quota.refusal(used, self._refused) if self._refused else "")
        return Usage(connections, sum(used.values()), self.quota.bytes_max, reason, self.spool_id)


def _usage_of(row: asyncpg.Record) -> LogUsage:
    waiting = row["normal"] + row["bulk"]
    oldest = (row["oldest"] or 0.0) if waiting else 0.0
    return LogUsage(row["normal"], row["bulk"], row["parked_lanes"], row["dead_letters"], row["bytes"], oldest)
