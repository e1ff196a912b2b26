"""The contact cache: which Intercom contact a lane is, and what is known of each contact; bounded, oldest out first.

The record of a contact has its own checksum; the row checksums bind a contact to its record and a lane to its contact.
A corrupt entry is deleted as a whole: looking a contact up again costs less than updating the wrong person.
"""

import json
from collections.abc import Iterable

from intercomd_daemon.spool.rows import CachedContact, ContactEntry
from intercomd_daemon.spool.sqlite.checksum import RECORD_STAMP_BYTES, row_checksum
from intercomd_daemon.spool.sqlite.quarantine import record_error
from intercomd_daemon.spool.sqlite.transaction import Transaction

CONTACTS_MAX = 500_000
EVICTED_PER_COMMIT = 1_000
"""More contacts than the settlements of a commit add, so that the bound holds."""
_UNKNOWN = ContactEntry("", b"")


def read_entries(transaction: Transaction, number: int, lanes: Iterable[str]) -> dict[str, ContactEntry]:
    """Returns the entry of each lane of a connection; an empty entry for an unknown one.

    One statement reads all: for each statement the thread gives up the interpreter and waits to get it back.
    """
    entries = dict.fromkeys(lanes, _UNKNOWN)
    found = transaction.database.execute(
        "SELECT identities.lane, contacts.number, contact_id, data, contacts.seal, identities.seal FROM identities"
        " JOIN contacts ON contacts.number = identities.contact"
        " WHERE identities.connection = ? AND identities.lane IN (SELECT value FROM json_each(?))",
        (number, json.dumps(list(entries))),
    ).fetchall()
    for lane, contact, contact_id, data, stored_contact_checksum, stored_identity_checksum in found:
        if stored_identity_checksum != identity_checksum(number, lane, contact_id):
            transaction.database.execute("DELETE FROM identities WHERE connection = ? AND lane = ?", (number, lane))
        elif contact_error(number, contact_id, data, stored_contact_checksum):
            _delete(transaction, [contact])
        else:
            entries[lane] = ContactEntry(contact_id, data)
    return entries


def identity_checksum(number: int, lane: str, contact_id: str) -> int:
    """Returns the checksum that binds a lane to its contact."""
    return row_checksum(number, lane, contact_id)


def contact_checksum(number: int, contact_id: str, data: bytes) -> int:
    """Returns the checksum that binds a contact's record to the contact."""
    return row_checksum(number, contact_id, data[:RECORD_STAMP_BYTES])


def contact_error(number: int, contact_id: str, data: object, stored_checksum: int) -> str:
    """Returns what is wrong with a contact's row; empty if nothing is. Without data the row only names the contact."""
    error = record_error(data) if data != b"" else ""
    if error or not isinstance(data, bytes):
        return error
    return "" if stored_checksum == contact_checksum(number, contact_id, data) else "the row checksum does not match"


def write(transaction: Transaction, number: int, entry: CachedContact) -> None:
    """Writes or deletes the entry of a lane; a contact that no lane names any more is deleted."""
    before = transaction.database.execute(
        "SELECT contact FROM identities WHERE connection = ? AND lane = ?", (number, entry.lane)
    ).fetchone()
    contact = _write_contact(transaction, number, entry) if entry.contact_id else 0
    identity = (contact, identity_checksum(number, entry.lane, entry.contact_id), number, entry.lane)
    if before is None and contact:
        transaction.database.execute(
            "INSERT INTO identities (contact, seal, connection, lane) VALUES (?, ?, ?, ?)", identity
        )
    elif contact and before[0] != contact:
        transaction.database.execute(
            "UPDATE identities SET contact = ?, seal = ? WHERE connection = ? AND lane = ?", identity
        )
    elif before and not contact:
        transaction.database.execute("DELETE FROM identities WHERE connection = ? AND lane = ?", (number, entry.lane))
    if before and before[0] != contact:
        named = transaction.database.execute("SELECT 1 FROM identities WHERE contact = ?", (before[0],)).fetchone()
        if not named:
            _delete(transaction, [before[0]])


def _write_contact(transaction: Transaction, number: int, entry: CachedContact) -> int:
    """Writes the contact of an entry; returns its number."""
    contact = (entry.data, contact_checksum(number, entry.contact_id, entry.data), number, entry.contact_id)
    updated = transaction.database.execute(
        "UPDATE contacts SET data = ?, seal = ? WHERE connection = ? AND contact_id = ? RETURNING number", contact
    ).fetchall()
    if updated:
        return int(updated[0][0])
    transaction.counters.spool.contacts += 1
    inserted = transaction.database.execute(
        "INSERT INTO contacts (data, seal, connection, contact_id) VALUES (?, ?, ?, ?)", contact
    )
    return inserted.lastrowid or 0


def _delete(transaction: Transaction, contacts: list[int]) -> None:
    listed = (json.dumps(contacts),)
    transaction.database.execute("DELETE FROM identities WHERE contact IN (SELECT value FROM json_each(?))", listed)
    transaction.counters.spool.contacts -= transaction.database.execute(
        "DELETE FROM contacts WHERE number IN (SELECT value FROM json_each(?))", listed
    ).rowcount


def forget(transaction: Transaction, number: int) -> int:
    """Deletes at most `EVICTED_PER_COMMIT` contacts of a connection; returns how many."""
    found = transaction.database.execute(
        "SELECT number FROM contacts WHERE connection = ? LIMIT ?", (number, EVICTED_PER_COMMIT)
    ).fetchall()
    if found:
        _delete(transaction, [row[0] for row in found])
    return len(found)


def evict(transaction: Transaction, contacts_max: int = CONTACTS_MAX) -> None:
    """Deletes the contacts that were entered first beyond `contacts_max`, at most `EVICTED_PER_COMMIT`."""
    excess = min(transaction.counters.spool.contacts - contacts_max, EVICTED_PER_COMMIT)
    if excess > 0:
        found = transaction.database.execute(
            "SELECT number FROM contacts ORDER BY number LIMIT ?", (excess,)
        ).fetchall()
        _delete(transaction, [row[0] for row in found])
