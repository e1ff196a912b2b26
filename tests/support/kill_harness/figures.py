"""The figures of a run of kills, added up over eras, and printed as a table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from intercom.fault_proxy import FaultProxy
from intercomd.v1.outcome_pb2 import Outcome, OutcomeType
from kill_harness.kills import Kill, Phase
from kill_harness.producers import Notes


@dataclass
class Figures:
    """Counts."""

    kills: Counter[Phase] = field(default_factory=Counter)
    proven: Counter[Phase] = field(default_factory=Counter)
    """Kills of which it is shown that they fell into their phase."""
    amid: Counter[str] = field(default_factory=Counter)
    """What else a kill met, of any phase."""
    stops: int = 0
    """Stops by two signals, which are not kills."""
    faults: Counter[str] = field(default_factory=Counter)
    """By kind: the proxy's, and the sandbox's by their text."""
    statuses: Counter[int] = field(default_factory=Counter)
    envelopes: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    repeats: int = 0
    """Events that Intercom got again and knew."""
    retries: int = 0
    """Calls that succeeded or were refused after more than one attempt."""
    types: Counter[str] = field(default_factory=Counter)
    laws: Counter[str] = field(default_factory=Counter)
    """How many times each law was looked at; a run ends where one does not hold."""

    def add_kills(self, kills: Sequence[Kill], notes: Notes) -> None:
        """Those of an era."""
        for kill in kills:
            cut_off = notes.cut_off(kill.at)
            self.kills[kill.phase] += 1
            self.proven[kill.phase] += kill.proves(notes)
            self.amid["a request without an answer"] += bool(cut_off)
            self.amid["a request that was committed and not answered"] += any(
                notes.known.intersection(attempt.ids) for attempt in cut_off
            )
            self.amid["a call without an answer"] += kill.calls_cut > 0
            self.amid["the refusals of a draining daemon"] += kill.asked_to_stop_at > 0.0 and notes.refused_between(
                kill.asked_to_stop_at, kill.at
            )

    def add_notes(self, notes: Notes) -> None:
        """The answers that the senders of an era got."""
        self.envelopes["accepted"] += len(notes.accepted)
        self.envelopes["skipped or rejected"] += len(notes.turned_away)
        self.envelopes["known again after a lost answer"] += len(notes.known)
        self.envelopes["known again without need"] += notes.repeated
        self.envelopes["sent to a draining daemon, and again"] += sum(
            len(attempt.ids) for attempt in notes.attempts if attempt.how == "refused"
        )

    def add_proxy(self, proxy: FaultProxy) -> None:
        """What lay between, all of it: the proxy lives as long as the run."""
        self.calls = proxy.calls
        self.statuses = Counter(proxy.statuses)
        self.faults |= Counter({kind.value: count for kind, count in proxy.faults.items()})

    def add_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """The journal of an era."""
        self.types.update(OutcomeType.Name(outcome.type).removeprefix("OUTCOME_TYPE_") for outcome in outcomes)
        self.types["REPLAYED"] += sum(outcome.replay > 0 for outcome in outcomes)
        self.retries += sum(effect.attempts > 1 for outcome in outcomes for effect in outcome.effects)

    def table(self) -> str:
        """All of it, a line each."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for phase in Phase:
            yield _line("killed while", phase, f"{self.kills[phase]:,}, shown of {self.proven[phase]:,}")
        yield _line("killed", "in all", self.kills.total())
        yield from _section("killed amid", self.amid)
        yield _line("stopped by", "two signals", self.stops)
        yield from _section("fault", self.faults)
        yield from _section("answer", self.statuses)
        yield from _section("envelopes", self.envelopes)
        yield _line("calls", "in all", self.calls)
        yield _line("calls", "completed after more than one attempt", self.retries)
        yield _line("calls", "events that came again", self.repeats)
        yield from _section("outcomes", self.types)
        yield from _section("held", self.laws)


def _section(title: str, counts: Counter[str] | Counter[int]) -> Iterator[str]:
    for name in sorted(counts, key=str):
        yield _line(title, name, counts[name])  # type: ignore[index] - of its own keys


def _line(title: str, name: object, value: object) -> str:
    shown = f"{value:,}" if isinstance(value, int) else str(value)
    return f"{title:<14}{name!s:<52}{shown:>24}"
