"""Every record of a database is checked, and the counters against the rows."""

import asyncio

import pytest

from database.filled import change, filled
from intercomd_daemon.spool.maintenance import Contents, DamageReport
from intercomd_daemon.spool.postgresql.maintenance import PostgresqlMaintenance

QUARANTINED = "(place, key, lane, reason, data) VALUES ('waiting', 7, 'c:x', 'torn', '')"
DIFFER = "the columns are not the record's"


async def verified(url: str) -> DamageReport:
    def run() -> DamageReport:
        with PostgresqlMaintenance().lock(url) as spool:
            return spool.verify()

    return await asyncio.to_thread(run)


async def test_sound_spool_has_no_damage(url: str) -> None:
    spool = await filled(url)
    report = await verified(url)
    assert (report.damages, report.contents) == ([], Contents(waiting=4, lost=0, dead_letters=1, outcomes=1))
    await spool.close()


@pytest.mark.parametrize(
    ("statement", "table", "words", "waiting", "lost"),
    [
        ("UPDATE log SET data = '\\x0102' WHERE lane = 'c:dan'", "log", "2 bytes are too few for a record", 3, 1),
        ("UPDATE log SET lane = 'c:eve' WHERE lane = 'c:dan'", "log", DIFFER, 3, 1),
        ("UPDATE parked SET id_hash = 1", "parked", DIFFER, 3, 1),
        ("UPDATE journal SET customer_id = 'eve'", "journal", DIFFER, 4, 0),
        ("UPDATE journal SET type = 1", "journal", DIFFER, 4, 0),
        ("UPDATE dead_letters SET data = data || 'x'", "dead_letters", "the checksum does not match", 4, 0),
        ("UPDATE dead_letters SET reason = 'OTHER'", "dead_letters", DIFFER, 4, 0),
        ("INSERT INTO progress VALUES (1, 'half')", "progress", "4 bytes are too few for a record", 4, 0),
        ("INSERT INTO contacts (connection, contact_id, data) VALUES (1, 'x', 'half')", "contacts", "too few", 4, 0),
        ("DELETE FROM lanes", "parked", "its lane is not among the parked ones", 4, 0),
        ("UPDATE settled SET bulk_head = 4::bigint << 48", "log", "it is before the head of its log", 4, 0),
        ("DELETE FROM log WHERE lane = 'c:dan'", "connections", "4 envelopes of eu wait by the counters", 3, 1),
        ("DELETE FROM dead_letters", "connections", "1 dead letters of eu are kept by the counters", 4, 0),
        (f"INSERT INTO damaged {QUARANTINED}", "waiting", "quarantined: torn", 4, 0),
    ],
)
async def test_damage_is_listed_with_its_table(
    url: str, statement: str, table: str, words: str, waiting: int, lost: int
) -> None:
    await (await filled(url)).close()
    await change(url, statement)
    report = await verified(url)
    assert {damage.table for damage in report.damages} == {table}
    assert all(words in damage.reason for damage in report.damages)
    assert (report.contents.waiting, report.contents.lost) == (waiting, lost)


async def test_records_of_a_later_release_and_contacts_without_data_are_sound(url: str) -> None:
    await (await filled(url)).close()
    await change(url, "INSERT INTO contacts (connection, contact_id, data) VALUES (1, 'x', '')")
    # A progress record is of another kind, but its bytes are what was written.
    await change(url, "UPDATE dead_letters SET data = (SELECT data FROM log LIMIT 1)")
    await change(url, "UPDATE journal SET data = (SELECT data FROM log LIMIT 1)")
    assert (await verified(url)).damages == []
