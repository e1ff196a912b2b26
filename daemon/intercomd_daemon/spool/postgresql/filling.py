"""Takes over the content of a spool of another engine, in one transaction."""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import asyncpg
from msgspec.structs import replace

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool import record
from intercomd_daemon.spool.content import Content
from intercomd_daemon.spool.fingerprint import fingerprint
from intercomd_daemon.spool.postgresql import schema
from intercomd_daemon.spool.postgresql.connecting import connector
from intercomd_daemon.spool.postgresql.pooler import connect_kept
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.refusals import share_of, size_of

PARTS = 3
"""Of the duplicate window."""
_USERS = (
    "SELECT string_agg(DISTINCT application_name, ', ') FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name LIKE 'intercomd%'"
    " AND pid <> pg_backend_pid()"
)
USERS_LOOKS = 20
"""At the sessions of daemons, before the database counts as in use."""
USERS_SECONDS = 0.1
"""Between two looks: the database still shows the session of a closed connection, also of our own, for a moment."""
_HOLDERS = ("log", "parked", "lanes", "recent", "journal", "dead_letters", "forwarded", "states", "damaged", "refusals")
"""Tables that have rows once a daemon has accepted, refused or remembered anything."""
_REPLACED = ("connections", "appended", "settled", "daemons", "leases", "contacts", "identities", "seconds", "progress")
"""Tables of which a daemon that has done nothing yet may have filled some."""
_COUNT = """
INSERT INTO appended (connection, normal, bulk, bytes, normal_last, bulk_last)
SELECT number, count(key) FILTER (WHERE (key >> 48) & 1 = 0), count(key) FILTER (WHERE (key >> 48) & 1 = 1),
    coalesce(sum(size), 0), coalesce(max(key) FILTER (WHERE (key >> 48) & 1 = 0), 0),
    coalesce(max(key) FILTER (WHERE (key >> 48) & 1 = 1), 0)
FROM connections LEFT JOIN (
    SELECT key, length(data) + 200 AS size FROM log UNION ALL SELECT key, length(data) + 200 FROM parked
) AS waiting ON key >> 49 = number GROUP BY number;
INSERT INTO settled (connection, bytes, parked_lanes, dead_letters)
SELECT number, -(SELECT coalesce(sum(length(data) + 200), 0) FROM dead_letters WHERE connection = number),
    (SELECT count(*) FROM lanes WHERE connection = number),
    (SELECT count(*) FROM dead_letters WHERE connection = number)
FROM connections
"""
_GENERATIONS = """
UPDATE generations SET generation = $1, turned_at = $2, elapsed = $3, carried = false, emptied = false,
    carried_connection = 0, carried_id = '',
    appended = (SELECT coalesce(sum(normal + bulk), 0) FROM appended) - $4::bigint
"""
_JOURNAL = """
UPDATE journal_counter SET sequence = $1::bigint, slot = 0, slot_since = 0, first_kept = 0,
    slot_first = coalesce((SELECT min(sequence) FROM journal), $1::bigint + 1)
"""
_LEASE = """
INSERT INTO leases (workspace, timeline, pacing_limit, window_ends, calls_used, reset)
VALUES ($1, timeline_1(), $2, $3, $4, $5)
"""


class _Copied(NamedTuple):
    table: str
    columns: str
    rows: Iterator[tuple[object, ...]]


async def fill(url: str, password_file: str, content: Content) -> str:
    """Copies the content into an empty spool, whose tables are created if need be, and retires its source.

    Returns the new name of the source. The source is retired just before the commit, so no moment leaves two spools
    that a daemon would deliver. After an interruption, a repetition begins anew or finds that all was committed.

    Raises:
        SpoolUnusable: the database cannot be used, daemons use it, or it holds another content. Nothing has changed.
    """
    connection = await connect_kept(connector(PostgresqlSettings(url=url, password_file=password_file)))
    try:
        await schema.check(connection)
        await connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        async with connection.transaction():
            await schema.create_if_missing(connection)
            if not await _copied_already(connection, content.numbers().spool_id):
                for name in _REPLACED:
                    await connection.execute(f"DELETE FROM {name}")  # noqa: S608 - our own names
                await _copy(connection, content)
            return content.retire()
    finally:
        connection.terminate()


async def _copied_already(connection: asyncpg.Connection, spool_id: str) -> bool:
    """Locks the spool against daemons; whether it is that of the source.

    Raises:
        SpoolUnusable: daemons use it, or it holds another content.
    """
    if users := await _remaining_users(connection):
        raise SpoolUnusable(f"daemons use the database ({users}): stop them first")
    # A daemon that starts now waits, and reads the id of the spool and its connections afterwards.
    await connection.execute("LOCK TABLE spool, daemons, connections IN ACCESS EXCLUSIVE MODE")
    if await connection.fetchval("SELECT spool_id FROM spool") == spool_id:
        return True
    for name in _HOLDERS:
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name})"):  # noqa: S608 - our own names
            raise SpoolUnusable(
                f"the database holds another spool's content (table {name}): give a database without one,"
                " or drop its schema intercomd if you do not need it"
            )
    return False


async def _remaining_users(connection: asyncpg.Connection) -> str | None:
    """Returns the names of the daemons whose sessions do not end within the looks; None: all have ended."""
    users: str | None = None
    for _ in range(USERS_LOOKS):
        # A transaction sees the sessions as at its first look, otherwise.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        users = await connection.fetchval(_USERS)
        if not users:
            break
        await asyncio.sleep(USERS_SECONDS)
    return users


async def _copy(connection: asyncpg.Connection, content: Content) -> None:
    numbers = content.numbers()
    for table, columns, rows in _tables(content):
        await connection.copy_records_to_table(table, records=rows, columns=columns.split(), schema_name="intercomd")
    await connection.execute(_COUNT)
    await connection.execute("UPDATE spool SET spool_id = $1", numbers.spool_id)
    if numbers.position:
        await connection.execute("SELECT setval('positions', $1)", numbers.position)
    await connection.execute(
        "SELECT setval(pg_get_serial_sequence('contacts', 'number'), max(number)) FROM contacts HAVING count(*) > 0"
    )
    await connection.execute(_JOURNAL, numbers.sequence)
    await connection.execute(
        _GENERATIONS, numbers.generation, numbers.turned_at, numbers.elapsed_seconds, numbers.generation_ids
    )
    for workspace, state in content.pacing():
        await connection.execute(_LEASE, workspace, *state)


def _tables(content: Content) -> Iterator[_Copied]:
    """Returns the rows of each table, which are read while they are sent."""
    yield _Copied("connections", "number name paused workspace", iter(content.connections()))
    waiting = "key lane_hash email_hash id_hash accept_time lane envelope_id data"
    yield _Copied("log", waiting, _waiting(content, parked=False))
    yield _Copied("parked", f"{waiting} connection", _waiting(content, parked=True))
    lanes = ((each.connection, each.lane.encode(), each.due, each.attempts) for each in content.lanes())
    yield _Copied("lanes", "connection lane due attempts", lanes)
    yield _Copied("progress", "key data", content.progress())
    ids = ((each.generation % PARTS, each.connection, each.envelope_id.encode(), each.key) for each in content.ids())
    yield _Copied("recent", "slot connection envelope_id key", ids)
    yield _Copied("seconds", "key owner", iter(dict(content.seconds()).items()))
    contacts = ((*each[:2], each.contact_id.encode(), each.data) for each in content.contacts())
    yield _Copied("contacts", "number connection contact_id data", contacts)
    identities = ((each.connection, each.lane.encode(), each.contact) for each in content.identities())
    yield _Copied("identities", "connection lane contact", identities)
    journal = "slot sequence connection envelope_id customer_id email type end_time data"
    outcomes = ((0, *each[:2], *_encoded(each[2:5]), *each[5:]) for each in content.outcomes())
    yield _Copied("journal", journal, outcomes)
    dead = "id connection bulk origin envelope_id customer_id email reason accept_time data"
    letters = ((*each[:4], *_encoded(each[4:7]), *each[7:]) for each in content.letters())
    yield _Copied("dead_letters", dead, letters)
    forwarded = (
        (*_encoded(each.key), each.sequence, each.data, list(each.duplicates), used_at)
        for each, used_at in content.forwarded()
    )
    yield _Copied("forwarded", "caller agent_id connection sequence data duplicates used_at", forwarded)
    yield _Copied("states", "name data", content.states())
    quarantined = ((each.place, each.key, each.lane.encode(), each.reason, each.data) for each in content.quarantined())
    yield _Copied("damaged", "place key lane reason data", quarantined)
    yield _Copied("refusals", "share connection envelope_id customer_id email time size data", _refusals(content))


def _waiting(content: Content, *, parked: bool) -> Iterator[tuple[object, ...]]:
    for key, lane, envelope_id, email, accept_time, data in content.rows(parked=parked):
        hashes = fingerprint(lane), fingerprint(email), fingerprint(envelope_id)
        row = (key, *hashes, accept_time, lane.encode(), envelope_id.encode(), data)
        yield (*row, key >> 49) if parked else row


def _refusals(content: Content) -> Iterator[tuple[object, ...]]:
    for each in content.refusals():
        texts = _encoded(("\0".join(share_of(each)), each.connection, each.envelope_id, each.customer_id, each.email))
        yield (*texts, each.time, size_of(each), record.pack(replace(each, number=0)))


def _encoded(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in texts)
