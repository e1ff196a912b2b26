"""What three witnesses say who know nothing of one another: senders, the daemon's journal, Intercom. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from intercomd import EnvelopeResult
from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.demo.step import Fate, Step, Stored

ENDS = {
    outcome_pb2.OUTCOME_TYPE_DELIVERED: Fate.DELIVERED,
    outcome_pb2.OUTCOME_TYPE_UNCHANGED: Fate.UNCHANGED,
    outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: Fate.DEAD_LETTER,
}
REFUSALS = {
    ingest_pb2.DISPOSITION_SKIPPED: Fate.SKIPPED,
    ingest_pb2.DISPOSITION_REJECTED: Fate.REJECTED,
}


class Answered(NamedTuple):
    """An envelope and what its sender was told."""

    step: Step
    result: EnvelopeResult


class Taken(NamedTuple):
    """An event as Intercom has it."""

    who: str
    name: str
    created_at: int


class Made(NamedTuple):
    """A call as Intercom saw it."""

    method: str
    path: str
    status: int
    """0: it was not answered."""
    spoilt: bool
    """Whether it went wrong by a fault of the sandbox's, or by its limit."""

    @property
    def subject(self) -> str:
        """What it was about: `contacts`, `events`, or `access` for the token and the custom attributes."""
        first = self.path.split("/")[1]
        return first if first in {"contacts", "events"} else "access"


@dataclass(frozen=True)
class Evidence:
    """All that the witnesses say."""

    answered: tuple[Answered, ...]
    """Each sender's in order."""
    outcomes: tuple[outcome_pb2.Outcome, ...]
    events: tuple[Taken, ...]
    """In the order in which Intercom took them, repeats left out."""
    repeats: int
    """Events that Intercom recognised as repeats."""
    contacts: Mapping[str, Mapping[str, Stored]]
    calls: tuple[Made, ...]
    illegal: int
    """Calls that Intercom's description does not allow."""

    def fates(self) -> list[tuple[Step, Fate | None, str]]:
        """Each envelope with how it ended by the witnesses, and the reason; None: nobody knows."""
        ended = {outcome.envelope_id: outcome for outcome in self.outcomes}
        known: set[str] = set()
        found: list[tuple[Step, Fate | None, str]] = []
        for step, result in self.answered:
            refusal = REFUSALS.get(result.disposition)
            if refusal is not None:
                found.append((step, refusal, result.violations[0].reason if result.violations else ""))
            elif result.envelope_id in known:
                found.append((step, Fate.DUPLICATE, ""))
            else:
                # Also where the answer says DUPLICATE: the one before it was lost with the daemon.
                known.add(result.envelope_id)
                outcome = ended.get(result.envelope_id)
                found.append((step, ENDS.get(outcome.type) if outcome else None, outcome.reason if outcome else ""))
        return found

    def sums(self) -> Counter[Fate]:
        """Ends by the journal, refusals and duplicates by what the senders were told."""
        told = Counter(fate for _, fate, _ in self.fates() if fate is not None and not fate.accepted)
        return told + Counter(ENDS[outcome.type] for outcome in self.outcomes if outcome.type in ENDS)
