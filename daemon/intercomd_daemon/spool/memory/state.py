"""The parts of the engine in memory: duplicate window, contact cache, archive, logs and lanes.

Plain dictionaries without awaits; times are arguments.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from intercomd_daemon.envelope import Priority
from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool import completion
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.rotation import rotation_due
from intercomd_daemon.spool.rows import CachedContact, ContactEntry, DeadLetterFilter, Incoming, LogUsage, OutcomeFilter
from intercomd_daemon.spool.trail import KeptOutcome

CONTACTS_MAX = 500_000
"""Lanes whose contact is cached; as in the SQLite engine."""


class Kept(NamedTuple):
    """A waiting row."""

    incoming: Incoming
    accept_time: float


class Window:
    """The duplicate window: two generations of (connection, id), each with the key of its row."""

    def __init__(self, seconds: float, now: float, monotonic: float) -> None:
        """Starts empty, rotated just now."""
        self._seconds = seconds
        self._young: dict[tuple[str, str], int] = {}
        self._old: dict[tuple[str, str], int] = {}
        self._rotated_at = now
        self._rotated_monotonic = monotonic

    def add(self, row: Incoming, key: int) -> bool:
        """Adds the id of a row; returns whether it is new."""
        if not row.recognised:
            return True
        name = (row.connection, row.envelope_id)
        if name in self._young or name in self._old:
            return False
        self._young[name] = key
        return True

    def rotate(self, now: float, monotonic: float, waits: Callable[[int], bool]) -> None:
        """Rotates if it is due; ids of rows that wait stay known."""
        self._rotated_at = min(self._rotated_at, now)
        if rotation_due(self._seconds, now - self._rotated_at, monotonic - self._rotated_monotonic, len(self._young)):
            waiting = {name: key for name, key in self._old.items() if waits(key)}
            self._young, self._old = waiting, self._young
            self._rotated_at, self._rotated_monotonic = now, monotonic


class Keys:
    """Keys of rows in order; removing one costs the same however many there are."""

    def __init__(self) -> None:
        """Empty."""
        self._ordered: list[int] = []
        """Includes removed keys: those are skipped, and dropped when there are too many."""
        self._present: set[int] = set()

    def add(self, key: int) -> None:
        """Adds a key, unless it is there."""
        place = bisect_left(self._ordered, key)
        if self._ordered[place : place + 1] != [key]:
            self._ordered.insert(place, key)
        self._present.add(key)

    def discard(self, key: int) -> None:
        """Removes a key, if it is there."""
        self._present.discard(key)
        if len(self._ordered) > 512 + len(self._present) * 5 // 4:
            self._ordered = [kept for kept in self._ordered if kept in self._present]

    def above(self, key: int) -> Iterator[int]:
        """Returns the keys above this one, in order."""
        places = range(bisect_right(self._ordered, key), len(self._ordered))
        return (self._ordered[place] for place in places if self._ordered[place] in self._present)


class ContactCache:
    """The contact cache: lane to contact id, contact id to its record; the entries not written for longest go first."""

    def __init__(self) -> None:
        """Empty."""
        self._identities: dict[str, str] = {}
        self._contacts: dict[str, bytes] = {}

    def read(self, lane: str) -> ContactEntry:
        """Returns the lane's entry; an empty one if nothing is known."""
        contact_id = self._identities.get(lane, "")
        return ContactEntry(contact_id, self._contacts.get(contact_id, b""))

    def write(self, entry: CachedContact) -> None:
        """Writes or deletes the entry of a lane; a contact that no lane names any more is deleted."""
        before = self._identities.pop(entry.lane, "")
        if entry.contact_id:
            self._identities[entry.lane] = entry.contact_id
            self._contacts[entry.contact_id] = entry.data
        if before and before != entry.contact_id and before not in self._identities.values():
            self._contacts.pop(before, None)
        if len(self._identities) > CONTACTS_MAX:
            self.write(CachedContact(next(iter(self._identities)), "", b""))


class OutcomeArchive:
    """The journal and the dead letters."""

    def __init__(self, outcomes_max: int, outcomes_kept_seconds: float) -> None:
        """Empty."""
        self._outcomes_max = outcomes_max
        self._outcomes_kept_seconds = outcomes_kept_seconds
        self._sequence = 0
        self._outcomes: dict[int, Outcome] = {}
        self._letters: dict[int, DeadLetter] = {}
        self._priorities: dict[int, Priority] = {}
        self.on_discard: Callable[[Sequence[Outcome]], None] = lambda _: None
        """Called with the outcomes of discards."""

    def next_sequence(self) -> int:
        """Returns the next sequence."""
        self._sequence += 1
        return self._sequence

    def add(self, outcome: Outcome) -> None:
        """Adds an outcome to the journal."""
        self._outcomes[outcome.sequence] = outcome
        while len(self._outcomes) > self._outcomes_max:
            del self._outcomes[self.oldest()]

    def expire(self, now: float) -> None:
        """Deletes the outcomes that have expired."""
        for sequence, outcome in list(self._outcomes.items()):
            if outcome.end_time >= now - self._outcomes_kept_seconds:
                break
            del self._outcomes[sequence]

    def add_damaged(self, row: Incoming, accept_time: float, now: float) -> Outcome:
        """Adds the outcome of a row whose record is corrupt."""
        name = (row.connection, row.lane, row.envelope_id)
        outcome = completion.damaged_outcome(*name, accept_time, self.next_sequence(), now)
        self.add(outcome)
        return outcome

    def oldest(self) -> int:
        """Returns the sequence from which on no outcome has left the journal; 0: there were none yet."""
        return next(iter(self._outcomes), self._sequence and self._sequence + 1)

    def add_letter(self, letter: DeadLetter, priority: Priority) -> None:
        """Stores a dead letter."""
        self._letters[letter.dead_letter_id] = letter
        self._priorities[letter.dead_letter_id] = priority

    def remove_letter(self, letter: DeadLetter) -> Priority:
        """Removes a dead letter; returns its envelope's priority."""
        del self._letters[letter.dead_letter_id]
        return self._priorities.pop(letter.dead_letter_id)

    def discard(self, letters: Sequence[DeadLetter], now: float) -> None:
        """Replaces the outcomes of discarded letters, and reports the new ones."""
        outcomes = [completion.discarded_outcome(letter, self.next_sequence(), now) for letter in letters]
        for letter, outcome in zip(letters, outcomes, strict=True):
            self._outcomes.pop(letter.dead_letter_id, None)
            self.add(outcome)
        if outcomes:
            self.on_discard(outcomes)

    def outcomes(self, wanted: OutcomeFilter) -> Iterable[Outcome]:
        """What matches, oldest first."""
        return (outcome for outcome in self._outcomes.values() if wanted.matches(outcome))

    def kept_outcomes(self) -> list[KeptOutcome]:
        """The outcomes of the journal, and before them those of letters that outlived it; oldest first."""
        start = next(iter(self._outcomes), self._sequence + 1)
        old = [
            KeptOutcome(letter.outcome, dead_letter=True) for number, letter in self._letters.items() if number < start
        ]
        return old + [KeptOutcome(each, each.sequence in self._letters) for each in self._outcomes.values()]

    def letters(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """What matches, oldest first."""
        return [letter for letter in self._letters.values() if wanted.matches(letter)]


@dataclass
class ParkedLane:
    """A parked lane and the keys of its rows."""

    due: float = 0.0
    attempts: int = 0
    keys: Keys = field(default_factory=Keys)


@dataclass
class Connection:
    """One connection; logs and lanes hold the keys of waiting rows."""

    number: int
    usage: LogUsage = field(default_factory=LogUsage)
    logs: dict[Priority, Keys] = field(default_factory=lambda: {priority: Keys() for priority in Priority})
    lanes: dict[str, ParkedLane] = field(default_factory=dict)
    contacts: ContactCache = field(default_factory=ContactCache)
    workspace: str = ""
    """That the cached contacts belong to; empty: not known."""
    wake: Callable[[Priority], None] = lambda _: None
    paused: bool = False

    def count(self, row: Incoming, rows: int) -> None:
        """Counts rows that were added, or with a negative number, removed."""
        if row.priority is Priority.BULK:
            self.usage.bulk += rows
        else:
            self.usage.normal += rows
        self.usage.bytes += rows * row_bytes(row.data)

    def remove(self, row: Incoming, key: int) -> None:
        """Removes a row from its log or lane."""
        self.count(row, -1)
        self.logs[row.priority].discard(key)
        if row.lane in self.lanes:
            self.lanes[row.lane].keys.discard(key)

    def count_letters(self, letters: int, data: bytes) -> None:
        """Counts a letter that was added, or with a negative number, removed."""
        self.usage.dead_letters += letters
        self.usage.bytes += letters * row_bytes(data)
