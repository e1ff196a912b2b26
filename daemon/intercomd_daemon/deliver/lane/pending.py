"""One waiting envelope as delivery sees it: which call is next, what became of the earlier ones, how it ends."""

from collections import deque

import msgspec

from intercomd_daemon.deliver.lane.actions import Retry
from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Priority, Scalar, TrackEvent, UpdateContact
from intercomd_daemon.outcome import Effect, EffectKind, Outcome, OutcomeType, Progress, index_effects, kind_of
from intercomd_daemon.spool.base import Completion, position_of

GIVEN_UP = "GIVEN_UP"
"""The reason of the dead letter of an envelope that an operator gave up."""
# An answer kept with a dead letter is cut at so many bytes.
ANSWER_KEPT_BYTES = 65_536
# "A second 404 is transient; the fifth: dead letter.": for an event, and for an update of the contact.
NOT_FOUND_MAX = 5
# Adjustments made while delivering that one outcome lists.
FINDINGS_MAX = 100


class PendingEnvelope:
    """An envelope between the spool and its outcome."""

    def __init__(self, key: int, priority: Priority, envelope: AcceptedEnvelope, progress: Progress) -> None:
        self.key = key
        self.priority = priority
        self.envelope = envelope
        self.position = envelope.origin or position_of(key)
        """Where its values stand among all: a replay's where it was first accepted."""
        self.attempts = progress.attempts
        """Calls made for the effect that is next."""
        self.not_found = progress.not_found
        """How often Intercom did not know the contact in calls for the effect that is next."""
        self.http_status = progress.http_status
        """Of the last call that failed."""
        self.last_error = progress.last_error
        self.alone = False
        """Whether its update must not share a call: a shared one was refused."""
        self._effects = list(index_effects(progress.effects, envelope.operations))
        self._findings = {(finding.reason, finding.field): finding for finding in progress.adjustments}
        self._answer_body = progress.answer_body

    @property
    def times(self) -> tuple[str, ...]:
        """Custom attributes of the update that the sender sent as a `Timestamp`."""
        contact_update = self.envelope.contact_update
        return contact_update.times if contact_update else ()

    def update(self, *, with_email: bool) -> dict[str, Scalar]:
        """Returns the contact's attributes; the email beside a customer id is one of them, by setting."""
        envelope, contact_update = self.envelope, self.envelope.contact_update
        attributes = contact_update.attributes if contact_update else {}
        if with_email and envelope.customer_id and envelope.email:
            return {**attributes, "email": envelope.email}
        return attributes

    def update_due(self, *, with_email: bool) -> bool:
        """Whether the next operation is the contact's update, and has something to write."""
        index = self._next
        operations = self.envelope.operations
        return (
            index < len(operations)
            and isinstance(operations[index], UpdateContact)
            and bool(self.update(with_email=with_email))
        )

    @property
    def update_refused(self) -> bool:
        """Whether Intercom refused the contact's update."""
        return any(
            effect.kind is EffectKind.CONTACT and effect.type is OutcomeType.DEAD_LETTERED for effect in self._effects
        )

    @property
    def event(self) -> TrackEvent | None:
        """The next event to track; None if no event remains."""
        remaining = self.envelope.operations[self._next :]
        return next((operation for operation in remaining if isinstance(operation, TrackEvent)), None)

    @property
    def _next(self) -> int:
        """The index of the operation behind the last one that has an effect."""
        return self._effects[-1].operation + 1 if self._effects else 0

    def contact_ended(self, type_: OutcomeType, reason: str = "", status: int = 0, request_id: str = "") -> None:
        """Records the effect of the contact's update."""
        self._record(self._next, "", 0, type_, reason, status, request_id)

    def event_ended(self, type_: OutcomeType, reason: str = "", status: int = 0, request_id: str = "") -> None:
        """Records the effect of the next event."""
        event = self.event
        if event is None:
            raise ValueError(self.key)
        # An update with nothing to write is passed over: it has no effect.
        index = self.envelope.operations.index(event, self._next)
        self._record(index, event.name, event.created_at, type_, reason, status, request_id)

    def _record(
        self, index: int, name: str, time: int, type_: OutcomeType, reason: str, status: int, request_id: str
    ) -> None:
        kind = kind_of(self.envelope.operations[index])
        self._effects.append(Effect(kind, name, time, type_, reason, status, request_id, self.attempts, index))
        self.attempts = 0
        self.not_found = 0

    def give_up(self, connection: str, now: float, *, with_email: bool) -> Completion:
        """Ends the envelope by hand: what was not done yet is refused as GIVEN_UP, so that a replay does it."""
        if self.update_due(with_email=with_email) or not (self._effects or self.event):
            self.contact_ended(OutcomeType.DEAD_LETTERED, GIVEN_UP, self.http_status)
        while self.event is not None:
            self.event_ended(OutcomeType.DEAD_LETTERED, GIVEN_UP, self.http_status)
        completion = self.end(connection, now)
        return completion._replace(outcome=msgspec.structs.replace(completion.outcome, reason=GIVEN_UP))

    def failed(self, status: int, error: str) -> None:
        """Notes that a call failed and will be made again; status 0: Intercom did not answer."""
        self.http_status, self.last_error = status, error

    def missed(self) -> Retry:
        """The contact was not found once more, with an event or with what is to be said of it: what to do then."""
        self.not_found += 1
        if self.not_found >= NOT_FOUND_MAX:
            return Retry.NEVER
        return Retry.LATER if self.not_found > 1 else Retry.NOW

    def add_finding(self, finding: Finding) -> None:
        """Adds an adjustment, or replaces the earlier one with the same reason and field."""
        key = finding.reason, finding.field
        if key in self._findings or len(self._findings) < FINDINGS_MAX:
            self._findings[key] = finding

    def keep_answer(self, body: bytes) -> None:
        """Keeps a refusal for the dead letter."""
        self._answer_body = body[:ANSWER_KEPT_BYTES].decode("utf-8", "replace")

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(
            tuple(self._effects),
            self.attempts,
            tuple(self._findings.values()),
            self._answer_body,
            self.not_found,
            self.http_status,
            self.last_error,
        )

    def end(self, connection: str, now: float) -> Completion:
        """Its outcome: a dead letter if any call was refused, delivered if any was made, else as its calls say."""
        type_, reason = OutcomeType.UNCHANGED, ""
        for candidate in (OutcomeType.DEAD_LETTERED, OutcomeType.DELIVERED, OutcomeType.SKIPPED):
            found = next((effect for effect in self._effects if effect.type is candidate), None)
            if found:
                type_, reason = candidate, found.reason
                break
        envelope = self.envelope
        outcome = Outcome(
            envelope_id=envelope.envelope_id,
            connection=connection,
            customer_id=envelope.customer_id,
            email=envelope.email,
            type=type_,
            reason=reason,
            accept_time=envelope.accept_time,
            end_time=now,
            effects=tuple(self._effects),
            adjustments=(*envelope.adjustments, *self._findings.values()),
            replay=envelope.replay,
            traceparent=envelope.traceparent,
            caller=envelope.caller,
        )
        if type_ is not OutcomeType.DEAD_LETTERED:
            return Completion(self.key, outcome)
        return Completion(self.key, outcome, msgspec.structs.replace(envelope, origin=self.position), self._answer_body)


class PendingQueue:
    """What of a lane is in memory."""

    def __init__(self) -> None:
        self._queues: dict[Priority, deque[PendingEnvelope]] = {Priority.NORMAL: deque(), Priority.BULK: deque()}

    def __len__(self) -> int:
        """How many envelopes wait."""
        return sum(len(queue) for queue in self._queues.values())

    @property
    def of_head(self) -> deque[PendingEnvelope]:
        """The queue whose turn it is: normal before bulk, but a bulk envelope that has begun is finished first."""
        normal, bulk = self._queues[Priority.NORMAL], self._queues[Priority.BULK]
        return bulk if bulk and (not normal or bulk[0].attempts) else normal

    @property
    def head(self) -> PendingEnvelope | None:
        """The envelope whose turn it is."""
        queue = self.of_head
        return queue[0] if queue else None

    def find(self, key: int) -> PendingEnvelope | None:
        """Returns the envelope of this row, if it is in memory."""
        return next((waiting for queue in self._queues.values() for waiting in queue if waiting.key == key), None)

    def add(self, waiting: PendingEnvelope) -> None:
        """Takes an envelope at the end."""
        self._queues[waiting.priority].append(waiting)

    def remove(self, waiting: PendingEnvelope) -> None:
        """Removes an envelope that waits here."""
        self._queues[waiting.priority].remove(waiting)

    def remove_first(self, priority: Priority) -> None:
        """The first envelope of this priority is done."""
        self._queues[priority].popleft()

    def keys(self) -> list[int]:
        """The rows of all that wait here."""
        return [waiting.key for queue in self._queues.values() for waiting in queue]

    def yield_to_normal(self) -> bool:
        """Bulk envelopes that have not begun leave, and must be fed again after what goes before; whether one did."""
        bulk = self._queues[Priority.BULK]
        waited = len(bulk)
        while bulk and not bulk[-1].attempts:
            bulk.pop()
        return len(bulk) < waited

    def truncate(self, rows: int) -> None:
        """Keeps at most so many rows of the queue whose turn it is, and none of the other, nor any that go after those.

        The rest must be fed again, in order.
        """
        normal, bulk = self._queues[Priority.NORMAL], self._queues[Priority.BULK]
        if self.of_head is normal:
            bulk.clear()
        elif normal:
            normal.clear()
            self.yield_to_normal()
        while len(self.of_head) > rows:
            self.of_head.pop()
