from collections.abc import Callable

import pytest

from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import CachedContact, ContactEntry, Incoming
from intercomd_daemon.spool.sqlite import contact_cache
from intercomd_daemon.spool.sqlite.transaction import Transaction

NOTHING = ContactEntry("", b"")


def test_corrupt_contact_is_deleted_with_all_its_lanes(transaction: Transaction, row: Callable[..., Incoming]) -> None:
    data = pack(row("contact"))
    for lane in ("c:ann", "e:ann@example.com"):
        contact_cache.write(transaction, 1, CachedContact(lane, "i1", data))
    transaction.database.execute("UPDATE contacts SET data = x'01020304'")
    assert contact_cache.read_entries(transaction, 1, ["c:ann"]) == {"c:ann": NOTHING}
    assert transaction.database.execute("SELECT count(*) FROM identities").fetchone() == (0,)
    assert transaction.counters.spool.contacts == 0


@pytest.mark.parametrize(
    "corruption",
    [
        "identities SET contact = 2 WHERE contact = 1",
        "contacts SET contact_id = 'i3' WHERE number = 1",
        "identities SET lane = 'c:bob' WHERE contact = 1",
        "identities SET seal = seal + 1 WHERE contact = 1",
        "contacts SET seal = seal + 1 WHERE number = 1",
        "contacts SET data = '' WHERE number = 1",
    ],
)
def test_contact_is_never_returned_for_another_lane(transaction: Transaction, corruption: str) -> None:
    for lane, contact_id in (("c:ann", "i1"), ("c:cid", "i2")):
        contact_cache.write(transaction, 1, CachedContact(lane, contact_id, b""))
    transaction.database.execute(f"UPDATE {corruption}")
    known = contact_cache.read_entries(transaction, 1, ["c:ann", "c:bob", "c:cid"])
    assert known == {"c:ann": NOTHING, "c:bob": NOTHING, "c:cid": ContactEntry("i2", b"")}


def test_contact_of_one_lane_is_not_returned_for_another(
    transaction: Transaction, row: Callable[..., Incoming]
) -> None:
    data = pack(row("contact"))
    for lane, contact_id in (("c:ann", "i1"), ("c:cid", "i2")):
        contact_cache.write(transaction, 1, CachedContact(lane, contact_id, data if contact_id == "i1" else b""))
    copied = "data = (SELECT data FROM contacts WHERE number = 1), seal = (SELECT seal FROM contacts WHERE number = 1)"
    transaction.database.execute(f"UPDATE contacts SET {copied} WHERE number = 2")  # noqa: S608 - as above
    assert contact_cache.read_entries(transaction, 1, ["c:cid"]) == {"c:cid": NOTHING}


def test_entry_without_data_is_not_corrupt(transaction: Transaction) -> None:
    contact_cache.write(transaction, 1, CachedContact("c:ann", "i1", b""))
    assert contact_cache.read_entries(transaction, 1, ["c:ann", "c:bob"]) == {
        "c:ann": ContactEntry("i1", b""),
        "c:bob": NOTHING,
    }


def test_entries_of_many_lanes_are_read_at_once(transaction: Transaction) -> None:
    lanes = ['c:"quoted"', "c:back\\slash", "c:😀", "e:ann@example.com", *(f"c:{number}" for number in range(600))]
    for number, lane in enumerate(lanes):
        contact_cache.write(transaction, 1, CachedContact(lane, f"i{number}", b""))
    statements: list[str] = []
    transaction.database.set_trace_callback(statements.append)
    known = contact_cache.read_entries(transaction, 1, [*lanes, "c:unknown"])
    transaction.database.set_trace_callback(None)
    assert known.pop("c:unknown") == NOTHING
    assert known == {lane: ContactEntry(f"i{number}", b"") for number, lane in enumerate(lanes)}
    assert len(statements) == 1


def test_connections_have_separate_contact_caches(transaction: Transaction) -> None:
    contact_cache.write(transaction, 1, CachedContact("c:ann", "i1", b""))
    contact_cache.write(transaction, 2, CachedContact("c:ann", "i1", b""))
    contact_cache.write(transaction, 2, CachedContact("c:ann", "", b""))
    assert contact_cache.read_entries(transaction, 1, ["c:ann"]) == {"c:ann": ContactEntry("i1", b"")}
    assert contact_cache.read_entries(transaction, 2, ["c:ann"]) == {"c:ann": NOTHING}


def test_contacts_are_counted_once_each(transaction: Transaction) -> None:
    for lane, contact_id in (("a", "i1"), ("b", "i1"), ("a", "i2"), ("b", "i2"), ("c", "")):
        contact_cache.write(transaction, 1, CachedContact(lane, contact_id, b""))
    assert transaction.counters.spool.contacts == 1


def test_contacts_beyond_the_bound_are_evicted_oldest_first(transaction: Transaction) -> None:
    for number in range(7):
        contact_cache.write(transaction, 1, CachedContact(f"c:{number}", f"i{number}", b""))
    contact_cache.write(transaction, 1, CachedContact("c:0", "i0", b""))
    contact_cache.evict(transaction, 5)
    assert [*contact_cache.read_entries(transaction, 1, [f"c:{n}" for n in range(7)]).values()].count(NOTHING) == 2
    assert contact_cache.read_entries(transaction, 1, ["c:0", "c:1"]) == {"c:0": NOTHING, "c:1": NOTHING}
    assert transaction.counters.spool.contacts == 5
    contact_cache.evict(transaction, 5)
    assert transaction.counters.spool.contacts == 5


@pytest.mark.fills("spool.sqlite.contact_cache.EVICTED_PER_COMMIT")
def test_expired_ids_are_deleted_a_few_per_commit(transaction: Transaction) -> None:
    transaction.database.executemany(
        "INSERT INTO contacts (connection, contact_id, data, seal) VALUES (1, ?, x'', 0)",
        [(str(number),) for number in range(contact_cache.EVICTED_PER_COMMIT + 50)],
    )
    transaction.counters.spool.contacts = contact_cache.EVICTED_PER_COMMIT + 50
    contact_cache.evict(transaction, 10)
    assert transaction.counters.spool.contacts == 50


@pytest.mark.fills("spool.sqlite.contact_cache.CONTACTS_MAX")
def test_one_contact_above_the_bound_evicts_the_first(transaction: Transaction) -> None:
    for number in range(3):
        contact_cache.write(transaction, 1, CachedContact(f"c:{number}", f"i{number}", b""))
    transaction.counters.spool.contacts = contact_cache.CONTACTS_MAX
    contact_cache.evict(transaction)
    assert contact_cache.read_entries(transaction, 1, ["c:0"])["c:0"].contact_id == "i0"
    contact_cache.write(transaction, 1, CachedContact("c:new", "new", b""))
    contact_cache.evict(transaction)
    assert transaction.counters.spool.contacts == contact_cache.CONTACTS_MAX
    known = contact_cache.read_entries(transaction, 1, ["c:0", "c:1", "c:new"])
    assert [each.contact_id for each in known.values()] == ["", "i1", "new"]
