"""What the senders, the daemon's journal and the sandbox observed, independently of each other."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from intercomd import EnvelopeResult
from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.demo.builders import FieldValue, FinalState, Step

ENDS = {
    outcome_pb2.OUTCOME_TYPE_DELIVERED: FinalState.DELIVERED,
    outcome_pb2.OUTCOME_TYPE_UNCHANGED: FinalState.UNCHANGED,
    outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: FinalState.DEAD_LETTER,
}
REFUSALS = {
    ingest_pb2.DISPOSITION_SKIPPED: FinalState.SKIPPED,
    ingest_pb2.DISPOSITION_REJECTED: FinalState.REJECTED,
}


class SentStep(NamedTuple):
    """An envelope and the result that its sender received."""

    step: Step
    result: EnvelopeResult


class ReceivedEvent(NamedTuple):
    """An event at Intercom."""

    user: str
    name: str
    created_at: int


class ObservedCall(NamedTuple):
    """A call that Intercom received."""

    method: str
    path: str
    status: int
    """0: no response."""
    failed: bool
    """Whether an injected fault or the rate limit made it fail."""

    @property
    def subject(self) -> str:
        """`contacts`, `events`, or `access` for the token and the custom attributes."""
        first = self.path.split("/")[1]
        return first if first in {"contacts", "events"} else "access"


@dataclass(frozen=True)
class Observations:
    """All observations of one run."""

    answered: tuple[SentStep, ...]
    """In the order of each sender."""
    outcomes: tuple[outcome_pb2.Outcome, ...]
    events: tuple[ReceivedEvent, ...]
    """In the order of arrival, without repeats."""
    repeats: int
    """Events that Intercom recognized as repeats."""
    contacts: Mapping[str, Mapping[str, FieldValue]]
    calls: tuple[ObservedCall, ...]
    illegal: int
    """Calls that Intercom's API description does not allow."""

    def final_states(self) -> list[tuple[Step, FinalState | None, str]]:
        """Returns what became of each envelope, and the reason; None where there is neither refusal nor outcome."""
        ended = {outcome.envelope_id: outcome for outcome in self.outcomes}
        known: set[str] = set()
        states: list[tuple[Step, FinalState | None, str]] = []
        for step, result in self.answered:
            refusal = REFUSALS.get(result.disposition)
            if refusal is not None:
                states.append((step, refusal, result.violations[0].reason if result.violations else ""))
            elif result.envelope_id in known:
                states.append((step, FinalState.DUPLICATE, ""))
            else:
                # Also if the result is DUPLICATE: the first result was lost when the daemon was killed.
                known.add(result.envelope_id)
                outcome = ended.get(result.envelope_id)
                states.append((step, ENDS.get(outcome.type) if outcome else None, outcome.reason if outcome else ""))
        return states

    def totals(self) -> Counter[FinalState]:
        """Counts outcomes by the journal, and refusals and duplicates by the senders' results."""
        refused = Counter(
            final_state
            for _, final_state, _ in self.final_states()
            if final_state is not None and not final_state.accepted
        )
        return refused + Counter(ENDS[outcome.type] for outcome in self.outcomes if outcome.type in ENDS)
