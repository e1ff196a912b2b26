"""What operators read: the journal, dead letters, waiting rows and the trail."""

from collections.abc import Sequence

import asyncpg
from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of
from intercomd_daemon.outcome import DeadLetter, Outcome, OutcomeType
from intercomd_daemon.spool import record
from intercomd_daemon.spool.fingerprint import fingerprint
from intercomd_daemon.spool.keys import connection_of, log_start, priority_of
from intercomd_daemon.spool.postgresql.counters import Counters
from intercomd_daemon.spool.rows import POSITION_BITS, DeadLetterFilter, OutcomeFilter, Row, WaitingRow, position_of
from intercomd_daemon.spool.trail import KeptOutcome, TrailFilter

CANDIDATES_MAX = 256
"""Rows that one statement reads because their fingerprints match."""
_POSITION = f"(key & {(1 << POSITION_BITS) - 1})"


class Where:
    """Clauses of a statement with their values."""

    def __init__(self) -> None:
        """Matches everything."""
        self.clauses: list[str] = ["true"]
        self.values: list[object] = []

    def add(self, clause: str, *values: object) -> None:
        """Adds a clause; each `?` in it stands for a value."""
        for value in values:
            self.values.append(value)
            clause = clause.replace("?", f"${len(self.values)}", 1)
        self.clauses.append(clause)

    def connections(self, counters: Counters, connection: str, allowed: tuple[str, ...] | None) -> None:
        """Adds the clauses of a connection and of the allowed ones."""
        if connection:
            self.add("connection = ?", counters.number(connection))
        if allowed is not None:
            self.add("connection = ANY (?::integer[])", [counters.number(name) for name in allowed])

    def user(self, customer_id: str, email: str) -> None:
        """Adds the clauses of an identity, both of which must match."""
        if customer_id:
            self.add("customer_id = ?", customer_id.encode())
        if email:
            self.add("email = ?", email.encode())

    def trail(self, wanted: TrailFilter) -> None:
        """Adds the clauses of an envelope id, and of the identities, of which one must match."""
        if wanted.envelope_id:
            self.add("envelope_id = ?", wanted.envelope_id.encode())
        named = [("customer_id = ?", wanted.customer_id), ("email = ?", wanted.email)]
        users = [(clause, text.encode()) for clause, text in named if text]
        if users:
            self.add(f"({' OR '.join(clause for clause, _ in users)})", *(value for _, value in users))

    def __str__(self) -> str:
        return " AND ".join(self.clauses)


async def oldest(connection: asyncpg.Connection, outcomes_max: int, outcomes_from: float) -> int:
    """Returns the sequence from which on no outcome has left the journal or expired; 0: there were none yet."""
    (row,) = await connection.fetch("SELECT sequence, first_kept FROM journal_counter")
    sequence = row["sequence"]
    if not sequence:
        return 0
    first = await connection.fetchval(
        "SELECT sequence FROM journal WHERE sequence >= $1 AND end_time >= $2 ORDER BY sequence LIMIT 1",
        max(row["first_kept"], sequence - outcomes_max + 1),
        outcomes_from,
    )
    first = int(first or sequence + 1)
    if first > row["first_kept"]:
        # After the clock was set back, what has expired stays so.
        await connection.execute("UPDATE journal_counter SET first_kept = greatest(first_kept, $1)", first)
    return first


def _outcome(row: asyncpg.Record) -> Outcome:
    return replace(record.unpack(row["data"], Outcome), sequence=row["sequence"])


def letter_of(row: asyncpg.Record) -> DeadLetter:
    """Returns the dead letter of a row."""
    letter = record.unpack(row["data"], DeadLetter)
    return replace(letter, dead_letter_id=row["id"], outcome=replace(letter.outcome, sequence=row["id"]))


def _outcome_where(counters: Counters, wanted: OutcomeFilter) -> Where:
    where = Where()
    where.connections(counters, wanted.connection, wanted.allowed)
    where.user(wanted.customer_id, wanted.email)
    if wanted.envelope_id:
        where.add("envelope_id = ?", wanted.envelope_id.encode())
    if wanted.types:
        where.add("type = ANY (?::integer[])", list(wanted.types))
    return where


async def outcomes(
    connection: asyncpg.Connection, counters: Counters, wanted: OutcomeFilter, below: int, first: int, limit: int
) -> list[Outcome]:
    """Lists outcomes, newest first, from the sequence `first` on and below `below` (0: all)."""
    where = _outcome_where(counters, wanted)
    where.add("sequence >= ?", first)
    if below:
        where.add("sequence < ?", below)
    statement = f"SELECT sequence, data FROM journal WHERE {where} ORDER BY sequence DESC LIMIT {limit:d}"  # noqa: S608
    return [_outcome(row) for row in await connection.fetch(statement, *where.values)]


async def outcomes_after(
    connection: asyncpg.Connection, counters: Counters, wanted: OutcomeFilter, after: int, first: int, limit: int
) -> list[Outcome]:
    """Lists outcomes in order above the sequence `after`, from `first` on."""
    where = _outcome_where(counters, wanted)
    where.add("sequence > ?", max(after, first - 1))
    statement = f"SELECT sequence, data FROM journal WHERE {where} ORDER BY sequence LIMIT {limit:d}"  # noqa: S608
    return [_outcome(row) for row in await connection.fetch(statement, *where.values)]


def letter_where(counters: Counters, wanted: DeadLetterFilter) -> Where:
    """Returns `DeadLetterFilter.matches` as clauses."""
    where = Where()
    where.connections(counters, wanted.connection, wanted.allowed)
    where.user(wanted.customer_id, wanted.email)
    if wanted.dead_letter_ids:
        where.add("id = ANY (?::bigint[])", list(wanted.dead_letter_ids))
    if wanted.envelope_ids:
        where.add("envelope_id = ANY (?::bytea[])", [each.encode() for each in wanted.envelope_ids])
    if wanted.reason:
        where.add("reason = ?", wanted.reason)
    if wanted.accept_time_from:
        where.add("accept_time >= ?", wanted.accept_time_from)
    if wanted.accept_time_to:
        where.add("accept_time < ?", wanted.accept_time_to)
    return where


async def letters(connection: asyncpg.Connection, where: Where, order: str, limit: int) -> list[DeadLetter]:
    """Lists dead letters in an order."""
    statement = f"SELECT id, data FROM dead_letters WHERE {where} ORDER BY {order} LIMIT {limit:d}"  # noqa: S608
    return [letter_of(row) for row in await connection.fetch(statement, *where.values)]


async def count_by_reason(connection: asyncpg.Connection, where: Where) -> dict[str, int]:
    """Counts dead letters by reason, the most frequent first."""
    statement = f"SELECT reason, count(*) AS letters FROM dead_letters WHERE {where} GROUP BY reason"  # noqa: S608
    rows = await connection.fetch(statement, *where.values)
    return dict(sorted(((row["reason"], row["letters"]) for row in rows), key=lambda each: (-each[1], each[0])))


def _search(wanted: TrailFilter, numbers: Sequence[int], before: int, limit: int) -> tuple[str, list[object]]:
    """Returns the statement that reads candidates by their fingerprints, newest first, and its values.

    Each hash is a condition on the index of the keys, which is read backwards from `before`. A condition that joins two
    hashes by OR would read every row instead.
    """
    logs = [log_start(number, priority) for number in numbers for priority in Priority]
    values: list[object] = [logs, before or 1 << POSITION_BITS, limit]
    common = ""
    if wanted.envelope_id:
        values.append(fingerprint(wanted.envelope_id))
        common = f" AND id_hash = ${len(values)}"
    users: list[str] = []
    if wanted.customer_id:
        values.append(fingerprint(lane_of(wanted.customer_id, "")))
        users.append(f" AND lane_hash = ${len(values)}")
    if wanted.email:
        values.append(fingerprint(wanted.email))
        users.append(f" AND email_hash = ${len(values)}")
    parts = [
        f"(SELECT key, data FROM {table} WHERE key > start AND key < start + $2{common}{user}"  # noqa: S608 - our own
        " ORDER BY key DESC LIMIT $3)"
        for table in ("log", "parked")
        for user in users or [""]
    ]
    statement = (
        f"SELECT DISTINCT ON ({_POSITION}) key, data FROM unnest($1::bigint[]) AS logs (start),"  # noqa: S608 - our own
        f" LATERAL ({' UNION ALL '.join(parts)}) AS found ORDER BY {_POSITION} DESC LIMIT $3"
    )
    return statement, values


async def find_waiting(
    connection: asyncpg.Connection, counters: Counters, wanted: TrailFilter, before: int, limit: int
) -> list[int]:
    """Returns the keys of waiting rows, newest first, of positions below `before` (0: from the newest)."""
    numbers = [number for name, number in counters.numbers.items() if wanted.matches_connection(name)]
    keys: list[int] = []
    while len(keys) < limit:
        rows_max = min(limit - len(keys), CANDIDATES_MAX)
        statement, values = _search(wanted, numbers, before, rows_max)
        rows = await connection.fetch(statement, *values)
        keys += [row["key"] for row in rows if _matches(wanted, row["data"])]
        if len(rows) < rows_max:
            break
        before = position_of(rows[-1]["key"])
    return keys


def _matches(wanted: TrailFilter, data: bytes) -> bool:
    try:
        envelope = record.unpack(data, AcceptedEnvelope)
    except record.RecordDamaged:
        return False  # The deliverer quarantines it, or leaves it to the release that wrote it.
    return wanted.envelope_id in {"", envelope.envelope_id} and wanted.matches_user(
        envelope.customer_id, envelope.email
    )


_WAITING = """
SELECT r.key, r.lane, r.data, r.is_parked, p.data AS progress, l.due, l.attempts,
    CASE WHEN r.is_parked THEN (SELECT count(*) FROM parked o
            WHERE o.connection = r.key >> 49 AND o.lane = r.lane AND o.key < r.key) END AS ahead,
    CASE WHEN r.is_parked THEN (SELECT hp.data FROM parked h LEFT JOIN progress hp ON hp.key = h.key
            WHERE h.connection = r.key >> 49 AND h.lane = r.lane ORDER BY h.key LIMIT 1) END AS head_progress,
    (SELECT key FROM log f WHERE f.key > greatest(
            (r.key >> 48) << 48, CASE (r.key >> 48) & 1 WHEN 0 THEN s.normal_head ELSE s.bulk_head END)
        ORDER BY f.key LIMIT 1) AS first
FROM (SELECT key, lane, data, false AS is_parked FROM log WHERE key = ANY ($1)
    UNION ALL SELECT key, lane, data, true FROM parked WHERE key = ANY ($1)) AS r
LEFT JOIN settled s ON s.connection = r.key >> 49
LEFT JOIN progress p ON p.key = r.key
LEFT JOIN lanes l ON l.connection = r.key >> 49 AND l.lane = r.lane
"""


async def waiting_rows(connection: asyncpg.Connection, counters: Counters, keys: Sequence[int]) -> list[WaitingRow]:
    """Returns the rows of these keys that still wait, in the order of the keys."""
    found: dict[int, WaitingRow] = {}
    for row in await connection.fetch(_WAITING, list(keys)):
        if not _matches(TrailFilter(), row["data"]):
            continue
        key, number = row["key"], connection_of(row["key"])
        ahead = row["ahead"]
        if not row["is_parked"]:
            # The distance in positions, bounded by the number of waiting rows: rows are not counted.
            usage = counters.of(number)
            waiting = usage.bulk if priority_of(key) is Priority.BULK else usage.normal
            ahead = max(0, min(key - row["first"], waiting - 1))
        found[key] = WaitingRow(
            connection=counters.names[number],
            row=Row(key, priority_of(key), row["lane"].decode(), row["data"], _sound(row["progress"])),
            ahead=ahead,
            parked=row["is_parked"],
            due=row["due"] or 0.0,
            attempts=row["attempts"] or 0,
            head_progress=_sound(row["head_progress"]) if row["is_parked"] else b"",
        )
    return [found[key] for key in keys if key in found]


def _sound(progress: bytes | None) -> bytes:
    return b"" if progress is None or record.check(progress) else progress


def _trail_where(counters: Counters, wanted: TrailFilter) -> Where:
    where = Where()
    where.connections(counters, wanted.connection, wanted.allowed)
    where.trail(wanted)
    return where


async def trail_outcomes(
    connection: asyncpg.Connection, counters: Counters, wanted: TrailFilter, before: int, first: int, limit: int
) -> list[KeptOutcome]:
    """Lists outcomes of the journal, then of dead letters that outlived it, newest first."""
    where = _trail_where(counters, wanted)
    where.add("sequence >= ?", first)
    if before:
        where.add("sequence < ?", before)
    rows = await connection.fetch(
        "SELECT sequence, data, EXISTS (SELECT FROM dead_letters WHERE id = sequence) AS dead FROM journal"  # noqa: S608
        f" WHERE {where} ORDER BY sequence DESC LIMIT {limit:d}",
        *where.values,
    )
    outcomes = [_outcome(row) for row in rows]
    kept = [
        KeptOutcome(outcome, outcome.type is OutcomeType.DEAD_LETTERED and row["dead"])
        for outcome, row in zip(outcomes, rows, strict=True)
    ]
    if len(kept) < limit:
        where = _trail_where(counters, wanted)
        where.add("id < ?", min(before, first or 1) if before else first or 1)
        old = await letters(connection, where, "id DESC", limit - len(kept))
        kept += [KeptOutcome(letter.outcome, dead_letter=True) for letter in old]
    return kept
