"""A model of a spool in dictionaries, which every engine must match."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent, lane_of, operations_of
from intercomd_daemon.outcome import DeadLetter, Effect, EffectKind, Outcome, OutcomeType
from intercomd_daemon.spool import completion, record
from intercomd_daemon.spool.keys import log_start
from intercomd_daemon.spool.quota import row_bytes
from intercomd_daemon.spool.rows import CachedContact, Completion, ContactEntry, Incoming, LogUsage

NOON = 1_750_000_000.0

Place = tuple[str, str]
"""A connection, and a lane or an id of it."""


@dataclass
class Held:
    """A waiting row."""

    incoming: Incoming
    parked: bool = False
    """Whether it lies in its lane, and no more in its log."""
    progress: bytes = b""

    @property
    def place(self) -> Place:
        """Its lane."""
        return self.incoming.connection, self.incoming.lane

    @property
    def envelope(self) -> AcceptedEnvelope:
        """What it holds."""
        return record.unpack(self.incoming.data, AcceptedEnvelope)


def made(connection: str, priority: Priority, user: str, name: str, size: int, *, recognised: bool) -> Incoming:
    """A row to append: an envelope of an update and two events, padded to about `size` bytes."""
    events = tuple(TrackEvent(event, 1, b"") for event in ("order", "visit"))
    envelope = AcceptedEnvelope(
        name, user, "", NOON, operations_of(user, "", {"plan": "pro"}, events), (), "", bytes(size)
    )
    return Incoming(connection, priority, lane_of(user, ""), name, record.pack(envelope), recognised)


def end_of(key: int, held: Held, reason: str) -> Completion:
    """How a row ends: delivered, or where there is a reason, as a dead letter whose last event was refused."""
    envelope = held.envelope
    kind = OutcomeType.DEAD_LETTERED if reason else OutcomeType.DELIVERED
    contact = Effect(EffectKind.CONTACT, "", 0, OutcomeType.DELIVERED, "", 200, "", 1)
    effects = [contact] if envelope.contact_update else []
    effects += [
        Effect(EffectKind.EVENT, each.name, 1, OutcomeType.DELIVERED, "", 202, "", 1) for each in envelope.events
    ]
    effects[-1] = replace(effects[-1], type=kind, reason=reason)
    outcome = Outcome(
        envelope_id=envelope.envelope_id,
        connection=held.incoming.connection,
        customer_id=envelope.customer_id,
        email="",
        type=kind,
        reason=reason,
        accept_time=NOON,
        end_time=NOON,
        effects=tuple(effects),
        adjustments=(),
        replay=envelope.replay,
    )
    return Completion(key, outcome, envelope if reason else None, "no" if reason else "")


@dataclass
class Model:
    """Everything that a spool holds."""

    connections: tuple[str, ...]
    rows: dict[int, Held] = field(default_factory=dict)
    gone: dict[int, Held] = field(default_factory=dict)
    known: set[Place] = field(default_factory=set)
    """The duplicate window."""
    lanes: dict[Place, tuple[float, int]] = field(default_factory=dict)
    """The parked ones: when they are due, and how often they were tried."""
    journal: dict[int, Outcome] = field(default_factory=dict)
    letters: dict[int, tuple[DeadLetter, Priority]] = field(default_factory=dict)
    identities: dict[Place, str] = field(default_factory=dict)
    contacts: dict[Place, bytes] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    sequence: int = 0
    position: int = 0

    def append(self, rows: Sequence[Incoming], keys: Sequence[int]) -> None:
        """Takes rows, and checks the keys that they were given: the next positions, in order."""
        expected = [self._appended(row) for row in rows]
        assert list(keys) == expected

    def _appended(self, row: Incoming) -> int:
        """Takes a row at the next position of all, which a duplicate uses up too; returns its key, or 0."""
        self.position += 1
        name = (row.connection, row.envelope_id)
        if row.recognised and name in self.known:
            return 0
        if row.recognised:
            self.known.add(name)
        key = log_start(1 + self.connections.index(row.connection), row.priority) + self.position
        self.rows[key] = Held(row)
        return key

    def logged(self, connection: str, priority: Priority) -> list[int]:
        """The keys that lie in a log, in order."""
        log = (connection, priority, False)
        rows = sorted(self.rows.items())
        return [key for key, held in rows if (held.place[0], held.incoming.priority, held.parked) == log]

    def parked(self, place: Place) -> list[int]:
        """The keys that lie in a parked lane, in order."""
        return [key for key, held in sorted(self.rows.items()) if (held.place, held.parked) == (place, True)]

    def settle(self, ended: Sequence[Completion], progress: Sequence[tuple[int, bytes]]) -> list[Outcome]:
        """Ends rows, which makes the outcomes that are returned."""
        for key, data in progress:
            if key in self.rows:
                self.rows[key].progress = data
        return [self._end(each) for each in ended if each.key in self.rows]

    def _end(self, ended: Completion) -> Outcome:
        self.gone[ended.key] = held = self.rows.pop(ended.key)
        self.sequence += 1
        outcome = self.journal[self.sequence] = completion.outcome_of(ended, self.sequence)
        if ended.dead_letter is not None:
            letter = completion.dead_letter_of(ended.key, outcome, ended.dead_letter, ended.answer_body)
            self.letters[self.sequence] = (letter, held.incoming.priority)
        return outcome

    def learn(self, connection: str, entry: CachedContact) -> None:
        """Enters what the book is to hold; a contact that no lane names is forgotten."""
        self.identities.pop((connection, entry.lane), None)
        if entry.contact_id:
            self.identities[connection, entry.lane] = entry.contact_id
            self.contacts[connection, entry.contact_id] = entry.data
        named = {(place[0], contact_id) for place, contact_id in self.identities.items()}
        self.contacts = {place: data for place, data in self.contacts.items() if place in named}

    def known_of(self, place: Place) -> ContactEntry:
        """The book's entry of a lane."""
        contact_id = self.identities.get(place, "")
        return ContactEntry(contact_id, self.contacts.get((place[0], contact_id), b""))

    def replay(self, ids: Sequence[int]) -> None:
        """Appends the refused calls of letters, in the order of their first acceptance."""
        for letter, priority in sorted(
            (self.letters.pop(each) for each in ids), key=lambda pair: pair[0].envelope.origin
        ):
            self._appended(completion.replayed_row(letter, priority))

    def discard(self, ids: Sequence[int]) -> None:
        """Gives letters up, in the order of their first acceptance."""
        for letter, _ in sorted((self.letters.pop(each) for each in ids), key=lambda pair: pair[0].envelope.origin):
            self.sequence += 1
            del self.journal[letter.dead_letter_id]
            self.journal[self.sequence] = completion.discarded_outcome(letter, self.sequence, NOON)

    def usage(self, connection: str) -> LogUsage:
        """What the connection's counters must say."""
        rows = [held.incoming for held in self.rows.values() if held.place[0] == connection]
        letters = [letter for letter, _ in self.letters.values() if letter.outcome.connection == connection]
        sizes = [row_bytes(row.data) for row in rows] + [row_bytes(record.pack(letter)) for letter in letters]
        return LogUsage(
            normal=sum(row.priority is Priority.NORMAL for row in rows),
            bulk=sum(row.priority is Priority.BULK for row in rows),
            parked_lanes=sum(place[0] == connection for place in self.lanes),
            dead_letters=len(letters),
            bytes=sum(sizes),
            oldest_accept_time=NOON if rows else 0.0,
        )
