"""How many envelopes wait, as this process last knew: its own commits at once, those of others at each poll."""

import asyncpg

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import LogUsage, Usage
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.quota import Quota

_STATEMENT = """
SELECT c.number, c.name, c.paused, a.normal AS appended_normal, a.bulk AS appended_bulk, a.normal - s.normal AS normal,
    a.bulk - s.bulk AS bulk, a.bytes - s.bytes AS bytes, s.parked_lanes, s.dead_letters,
    (SELECT array[key::float8, accept_time] FROM log
        WHERE key > h.normal AND key < ((2 * c.number + 1)::bigint << 48) ORDER BY key LIMIT 1) AS normal_head,
    (SELECT array[key::float8, accept_time] FROM log
        WHERE key > h.bulk AND key < ((2 * c.number + 2)::bigint << 48) ORDER BY key LIMIT 1) AS bulk_head,
    (SELECT accept_time FROM parked WHERE connection = c.number ORDER BY lane, key LIMIT 1) AS parked_head
FROM connections c JOIN appended a ON a.connection = c.number JOIN settled s ON s.connection = c.number
LEFT JOIN unnest($1::integer[], $2::bigint[], $3::bigint[]) AS h (number, normal, bulk) ON h.number = c.number
ORDER BY c.number
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
        starts = {
            number: (log_start(number, Priority.NORMAL), log_start(number, Priority.BULK)) for number in self.names
        }
        heads = starts | self._heads
        rows = await connection.fetch(
            _STATEMENT, list(heads), [head[0] for head in heads.values()], [head[1] for head in heads.values()]
        )
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
        self.paused = frozenset(row["name"] for row in rows if row["paused"])
        # A commit of this process that comes between is counted twice, or not at all, until the next poll.
        self._usage = {row["number"]: _usage_of(row) for row in rows}
        return grown

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
    heads = [head[1] for head in (row["normal_head"], row["bulk_head"]) if head]
    heads += [row["parked_head"]] if row["parked_head"] is not None else []
    oldest = min(heads, default=0.0) if waiting else 0.0
    return LogUsage(row["normal"], row["bulk"], row["parked_lanes"], row["dead_letters"], row["bytes"], oldest)
