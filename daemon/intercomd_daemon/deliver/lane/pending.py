"""The accepted envelopes of one lane between the spool and their outcomes: progress of each, and their order."""

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Operation, Priority, UpdateContact
from intercomd_daemon.outcome import Effect, EffectKind, Outcome, OutcomeType, Progress, describe, index_effects
from intercomd_daemon.spool.completion import ANSWER_BODY_MAX
from intercomd_daemon.spool.rows import Completion, position_of

# 404s for one envelope: the second is transient, the fifth final. Events and contact updates are counted alike.
NOT_FOUND_MAX = 5
# Adjustments made while delivering that one outcome lists.
FINDINGS_MAX = 100
# Of the effects of an envelope, the first of these types decides its outcome.
_DECIDING_TYPES = (OutcomeType.DEAD_LETTERED, OutcomeType.DELIVERED, OutcomeType.SKIPPED)


class Retry(Enum):
    """Whether to call again after a response that did not do what the call was for."""

    NOW = auto()
    LATER = auto()
    """After a pause."""
    NEVER = auto()
    """The call is refused for good."""


class PendingEnvelope:
    """An envelope between the spool and its outcome, with the results of the operations that have ended."""

    __slots__ = (
        "_effects",
        "_findings",
        "_next",
        "_response_body",
        "alone",
        "attempts",
        "envelope",
        "http_status",
        "key",
        "last_error",
        "not_found",
        "operation",
        "position",
        "priority",
    )

    def __init__(self, key: int, priority: Priority, envelope: AcceptedEnvelope, progress: Progress) -> None:
        self.key = key
        self.priority = priority
        self.envelope = envelope
        self.position = envelope.origin or position_of(key)
        """The age of its values: a replay's is the position of the first acceptance."""
        self.attempts = progress.attempts
        """Calls made for the next operation."""
        self.not_found = progress.not_found
        """How often Intercom did not find the contact in calls for the next operation."""
        self.http_status = progress.http_status
        """Of the last call that failed; 0 if Intercom did not respond."""
        self.last_error = progress.last_error
        self.alone = False
        """Whether its update must not share a call, because a shared one was refused."""
        self._effects = list(index_effects(progress.effects, envelope.operations)) if progress.effects else []
        self._next = 0
        self.operation: Operation | None = None
        """The next operation; None if all have ended."""
        self._go_to(self._effects[-1].operation + 1 if self._effects else 0)
        self._findings: dict[tuple[str, str], Finding] = {}
        for finding in progress.adjustments:
            self._findings[finding.reason, finding.field] = finding
        self._response_body = progress.answer_body

    @property
    def contact_update(self) -> UpdateContact | None:
        """The values of the contact; after its update has ended, they serve to create a contact that is missing."""
        return self.envelope.contact_update

    @property
    def at_last_operation(self) -> bool:
        """Whether no operation follows the next one."""
        return self._next + 1 >= len(self.envelope.operations)

    def refused(self, kind: EffectKind) -> bool:
        """Whether Intercom refused an operation of this kind."""
        return any(effect.kind is kind and effect.type is OutcomeType.DEAD_LETTERED for effect in self._effects)

    @property
    def has_effect(self) -> bool:
        """Whether an operation has ended with an effect."""
        return bool(self._effects)

    def pass_over(self) -> None:
        """Goes to the operation after the next one, which has nothing to do and so no effect."""
        self._go_to(self._next + 1)

    def _go_to(self, index: int) -> None:
        operations = self.envelope.operations
        self._next, self.operation = index, operations[index] if index < len(operations) else None

    def end_operation(self, type_: OutcomeType, reason: str = "", status: int = 0, request_id: str = "") -> None:
        """Records the effect of the next operation, and goes to the one after it."""
        if self.operation is None:
            raise ValueError(self.key)
        ended = describe(self.operation)
        self._effects.append(
            Effect(ended.kind, ended.name, ended.time, type_, reason, status, request_id, self.attempts, self._next)
        )
        self._go_to(self._next + 1)
        self.attempts = 0
        self.not_found = 0

    def on_failure(self, status: int, error: str) -> None:
        """Records that a call failed and will be repeated; status 0: Intercom did not respond."""
        self.http_status, self.last_error = status, error

    def contact_not_found(self) -> Retry:
        """Counts a response that the contact does not exist; returns whether the next operation is tried again."""
        self.not_found += 1
        if self.not_found >= NOT_FOUND_MAX:
            return Retry.NEVER
        return Retry.LATER if self.not_found > 1 else Retry.NOW

    def add_finding(self, finding: Finding) -> None:
        """Adds an adjustment, or replaces the earlier one with the same reason and field."""
        key = finding.reason, finding.field
        if key in self._findings or len(self._findings) < FINDINGS_MAX:
            self._findings[key] = finding

    def keep_response(self, body: bytes) -> None:
        """Keeps the body of a refusal for the dead letter."""
        self._response_body = body[:ANSWER_BODY_MAX].decode("utf-8", "replace")

    def progress(self) -> Progress:
        """Returns the progress as the spool stores it."""
        return Progress(
            tuple(self._effects),
            self.attempts,
            tuple(self._findings.values()),
            self._response_body,
            self.not_found,
            self.http_status,
            self.last_error,
        )

    def end(self, connection: str, now: float) -> Completion:
        """Returns the outcome: dead letter if any operation was refused, else delivered if any call was needed."""
        type_, reason = _type_and_reason(self._effects)
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
        letter = msgspec.structs.replace(envelope, origin=self.position)
        return Completion(self.key, outcome, letter, self._response_body)


def _type_and_reason(effects: Sequence[Effect]) -> tuple[OutcomeType, str]:
    """Returns the type of the outcome with these effects, and the reason, which its first effect of that type gives."""
    for type_ in _DECIDING_TYPES:
        for effect in effects:
            if effect.type is type_:
                return type_, effect.reason
    return OutcomeType.UNCHANGED, ""


class PendingQueue:
    """The envelopes of a lane that are in memory, in the order of delivery."""

    def __init__(self) -> None:
        self._normal: deque[PendingEnvelope] = deque()
        self._bulk: deque[PendingEnvelope] = deque()
        self._queues = {Priority.NORMAL: self._normal, Priority.BULK: self._bulk}

    def __len__(self) -> int:
        """Returns the number of envelopes."""
        return len(self._normal) + len(self._bulk)

    @property
    def of_head(self) -> deque[PendingEnvelope]:
        """The queue to deliver from: normal before bulk, but a bulk envelope with a call made is finished first."""
        bulk = self._bulk
        return bulk if bulk and (not self._normal or bulk[0].attempts) else self._normal

    @property
    def head(self) -> PendingEnvelope | None:
        """The envelope to deliver next."""
        queue = self.of_head if self._bulk else self._normal
        return queue[0] if queue else None

    def find(self, key: int) -> PendingEnvelope | None:
        """Returns the envelope of this row, if it is in memory."""
        return next((pending for queue in self._queues.values() for pending in queue if pending.key == key), None)

    def add(self, pending: PendingEnvelope) -> None:
        """Appends an envelope to the queue of its priority."""
        self._queues[pending.priority].append(pending)

    def remove(self, pending: PendingEnvelope) -> None:
        """Removes an envelope of the queue."""
        self._queues[pending.priority].remove(pending)

    def remove_first(self, priority: Priority) -> None:
        """Removes the first envelope of this priority, which has its outcome."""
        self._queues[priority].popleft()

    def keys(self) -> list[int]:
        """Returns the rows of all envelopes."""
        return [pending.key for queue in self._queues.values() for pending in queue]

    def yield_to_normal(self) -> bool:
        """Removes bulk envelopes without a call made, because normal rows come first; returns whether any was removed.

        They must be loaded again, after those normal rows.
        """
        bulk = self._bulk
        before = len(bulk)
        while bulk and not bulk[-1].attempts:
            bulk.pop()
        return len(bulk) < before

    def truncate(self, rows: int) -> None:
        """Keeps at most this number of rows of the queue to deliver from, and of the other only a bulk row in progress.

        The others must be loaded again, in order.
        """
        if self.of_head is self._normal:
            self._bulk.clear()
        elif self._normal:
            self._normal.clear()
            self.yield_to_normal()
        while len(self.of_head) > rows:
            self.of_head.pop()
