"""The parts of the engine without a disk, where the contract does not reach."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool.memory.state import CONTACTS_MAX, Connection, ContactCache, Keys, OutcomeArchive, Window
from intercomd_daemon.spool.rows import CachedContact, Completion, ContactEntry, Incoming, OutcomeFilter


def test_window_rotated_twice_keeps_only_ids_of_waiting_rows(row: Callable[..., Incoming]) -> None:
    window = Window(100.0, 0.0, 0.0)
    assert window.add(row("gone"), 1)
    assert window.add(row("waits"), 2)
    for time in (100.0, 200.0):
        window.rotate(time, time, lambda key: key == 2)
    assert window.add(row("gone"), 3)
    assert not window.add(row("waits"), 4)


def test_keys_stay_sorted_through_late_removed_and_repeated_ones() -> None:
    keys = Keys()
    for key in (*range(1000, 3000), 5, 5, 2000):
        keys.add(key)
    for key in (*range(1000, 2990), 1000, 7):
        keys.discard(key)
    keys.add(2500)
    assert list(keys.above(0)) == [5, 2500, *range(2990, 3000)]
    assert list(keys.above(2998)) == [2999]


def test_contact_without_lanes_is_deleted() -> None:
    contacts = ContactCache()
    contacts.write(CachedContact("c:ann", "i1", b"old"))
    contacts.write(CachedContact("c:ann", "i2", b""))
    contacts.write(CachedContact("c:bob", "i1", b""))
    assert contacts.read("c:bob") == ContactEntry("i1", b"")


def test_sequences_continue_after_trimming(ended: Callable[..., Completion]) -> None:
    archive = OutcomeArchive(1, 100.0)
    for name in ("1", "2"):
        sequence = archive.next_sequence()
        archive.add(replace(ended(sequence, name).outcome, sequence=sequence))
    assert archive.oldest() == 2
    assert [outcome.envelope_id for outcome in archive.outcomes(OutcomeFilter(types=(OutcomeType.DELIVERED,)))] == ["2"]


def test_connection_counts_rows_added_and_removed(row: Callable[..., Incoming]) -> None:
    connection = Connection(1)
    connection.count(row("1", priority=Priority.BULK), 1)
    connection.count_letters(1, b"letter")
    connection.count(row("1", priority=Priority.BULK), -1)
    connection.count_letters(-1, b"letter")
    assert (connection.usage.bulk, connection.usage.dead_letters, connection.usage.bytes) == (0, 0, 0)


@pytest.mark.fills("spool.memory.state.CONTACTS_MAX")
def test_contacts_not_written_for_longest_are_evicted() -> None:
    contacts = ContactCache()
    contacts._identities = {f"c:{number}": f"i{number}" for number in range(CONTACTS_MAX)}
    contacts._contacts = dict.fromkeys(contacts._identities.values(), b"")
    contacts.write(CachedContact("c:0", "i0", b"again"))
    contacts.write(CachedContact("c:new", "new", b""))
    assert [contacts.read(f"c:{name}").contact_id for name in (0, 1, 2, "new")] == ["i0", "", "i2", "new"]
    assert len(contacts._contacts) == CONTACTS_MAX
