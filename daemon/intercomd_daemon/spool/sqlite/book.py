"""The contact book: which contact a lane is, and what is known of each contact; bounded, the oldest-entered go first.

What is known is bytes with a checksum, and who it is is sealed. A damaged entry is forgotten whole: to update the wrong
person would be worse than to look one up again.
"""

import json
from collections.abc import Iterable

from intercomd_daemon.spool.base import BookEntry, Known
from intercomd_daemon.spool.sqlite.aside import what_is_wrong
from intercomd_daemon.spool.sqlite.seal import STAMP_BYTES, seal
from intercomd_daemon.spool.sqlite.transaction import Transaction

CONTACTS_MAX = 500_000
EVICTED_PER_COMMIT = 1_000
"""More than a commit's settlements can add, so that the bound holds."""
_UNKNOWN = Known("", b"")


def known(transaction: Transaction, number: int, lanes: Iterable[str]) -> dict[str, Known]:
    """The entry of each lane; an empty one where nothing is known."""
    return {lane: _known(transaction, number, lane) for lane in lanes}


def _known(transaction: Transaction, number: int, lane: str) -> Known:
    found = transaction.database.execute(
        "SELECT contacts.number, contact_id, data, contacts.seal, identities.seal FROM identities"
        " JOIN contacts ON contacts.number = identities.contact"
        " WHERE identities.connection = ? AND identities.lane = ?",
        (number, lane),
    ).fetchone()
    if found is None:
        return _UNKNOWN
    contact, contact_id, data, contact_sealed, identity_sealed = found
    if identity_sealed != seal_of_identity(number, lane, contact_id):
        transaction.database.execute("DELETE FROM identities WHERE connection = ? AND lane = ?", (number, lane))
        return _UNKNOWN
    if wrong_contact(number, contact_id, data, contact_sealed):
        _forget(transaction, [contact])
        return _UNKNOWN
    return Known(contact_id, data)


def seal_of_identity(number: int, lane: str, contact_id: str) -> int:
    """What binds a lane to the contact that it is."""
    return seal(number, lane, contact_id)


def seal_of_contact(number: int, contact_id: str, data: bytes) -> int:
    """What binds that which is known to the contact of whom it is."""
    return seal(number, contact_id, data[:STAMP_BYTES])


def wrong_contact(number: int, contact_id: str, data: object, sealed: int) -> str:
    """What is wrong with an entry, in words; empty if nothing is. One without data says who, and no more."""
    wrong = what_is_wrong(data) if data != b"" else ""
    if wrong or not isinstance(data, bytes):
        return wrong
    return "" if sealed == seal_of_contact(number, contact_id, data) else "the seal does not match"


def write(transaction: Transaction, number: int, entry: BookEntry) -> None:
    """Enters what the book is to hold of a lane from now on."""
    before = transaction.database.execute(
        "SELECT contact FROM identities WHERE connection = ? AND lane = ?", (number, entry.lane)
    ).fetchone()
    contact = _enter(transaction, number, entry) if entry.contact_id else 0
    identity = (contact, seal_of_identity(number, entry.lane, entry.contact_id), number, entry.lane)
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
        _forget_unless_named(transaction, before[0])


def _enter(transaction: Transaction, number: int, entry: BookEntry) -> int:
    """Writes the contact, and returns its number."""
    place = (entry.data, seal_of_contact(number, entry.contact_id, entry.data), number, entry.contact_id)
    updated = transaction.database.execute(
        "UPDATE contacts SET data = ?, seal = ? WHERE connection = ? AND contact_id = ? RETURNING number", place
    ).fetchall()
    if updated:
        return int(updated[0][0])
    transaction.ledger.counters.contacts += 1
    inserted = transaction.database.execute(
        "INSERT INTO contacts (data, seal, connection, contact_id) VALUES (?, ?, ?, ?)", place
    )
    return inserted.lastrowid or 0


def _forget_unless_named(transaction: Transaction, contact: int) -> None:
    if not transaction.database.execute("SELECT 1 FROM identities WHERE contact = ?", (contact,)).fetchone():
        _forget(transaction, [contact])


def _forget(transaction: Transaction, contacts: list[int]) -> None:
    listed = (json.dumps(contacts),)
    transaction.database.execute("DELETE FROM identities WHERE contact IN (SELECT value FROM json_each(?))", listed)
    transaction.ledger.counters.contacts -= transaction.database.execute(
        "DELETE FROM contacts WHERE number IN (SELECT value FROM json_each(?))", listed
    ).rowcount


def evict(transaction: Transaction, contacts_max: int = CONTACTS_MAX) -> None:
    """Forgets the contacts that were entered first, a few a commit, while there are more than `contacts_max`."""
    excess = min(transaction.ledger.counters.contacts - contacts_max, EVICTED_PER_COMMIT)
    if excess > 0:
        found = transaction.database.execute(
            "SELECT number FROM contacts ORDER BY number LIMIT ?", (excess,)
        ).fetchall()
        _forget(transaction, [row[0] for row in found])
