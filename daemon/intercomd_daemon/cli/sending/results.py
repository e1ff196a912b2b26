"""Counts and prints the results of lines: those not accepted for people, all of them as JSON for scripts."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd.v1.ingest_pb2 import EnvelopeResult
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.outcomes import type_name
from intercomd_daemon.cli.output import message_to_json, print_json

SHOWN_MAX = 20
"""Lines that are named for each kind of result; further ones are only counted."""
NOT_ACCEPTED = {ingest_pb2.DISPOSITION_SKIPPED: "skipped", ingest_pb2.DISPOSITION_REJECTED: "rejected"}
# In the order of the summary.
DISPOSITIONS = {
    ingest_pb2.DISPOSITION_ACCEPTED: "accepted",
    ingest_pb2.DISPOSITION_DUPLICATE: "duplicates",
    ingest_pb2.DISPOSITION_SKIPPED: "skipped",
    ingest_pb2.DISPOSITION_REJECTED: "rejected",
}


@dataclass
class Tally:
    """Counts of lines by result. They add up to `sent`, the number of lines read, without blank ones."""

    sent: int = 0
    unreadable: int = 0
    results: Counter[int] = field(default_factory=Counter)
    """By disposition."""
    outcomes: Counter[int] = field(default_factory=Counter)
    """By type, with --wait."""
    outcomes_unknown: int = 0
    """Envelopes whose outcome did not arrive, with --wait."""

    @property
    def unanswered(self) -> int:
        """Lines that were read and got no result, because sending ended early."""
        return self.sent - self.unreadable - sum(self.results.values())

    @property
    def successful(self) -> bool:
        """Whether every line was accepted, a duplicate or skipped, and no outcome is unknown or a dead letter."""
        rejected = self.results[ingest_pb2.DISPOSITION_REJECTED]
        failed = self.unreadable + self.unanswered + rejected + self.outcomes_unknown
        return not failed and not self.outcomes[outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED]

    def counts(self) -> dict[str, int]:
        """Returns the counts that add up to `sent`, by name, in the order of the summary."""
        named = {name: self.results[disposition] for disposition, name in DISPOSITIONS.items()}
        other = sum(count for disposition, count in self.results.items() if disposition not in DISPOSITIONS)
        optional = {"other": other, "unanswered": self.unanswered}
        return named | {"unreadable": self.unreadable} | {name: count for name, count in optional.items() if count}

    def outcome_counts(self) -> dict[str, int]:
        """Returns the counts of outcomes by name, the most frequent first, the unknown ones last."""
        named = {type_name(outcome_pb2.OutcomeType.ValueType(number)): n for number, n in self.outcomes.items()}
        unknown = {"unknown": self.outcomes_unknown} if self.outcomes_unknown else {}
        return dict(sorted(named.items(), key=lambda item: -item[1])) | unknown

    def summary(self, verb: str) -> str:
        """Returns `sent 12 = accepted 10 + duplicates 2 + skipped 0 + rejected 0 + unreadable 0`, for example."""
        return f"{verb} {self.sent:,} = " + " + ".join(f"{name} {count:,}" for name, count in self.counts().items())

    def outcome_summary(self) -> str:
        """Returns `outcomes 10 = delivered 9 + unchanged 1`, for example."""
        total = sum(self.outcomes.values()) + self.outcomes_unknown
        parts = " + ".join(f"{name} {count:,}" for name, count in self.outcome_counts().items())
        return f"outcomes {total:,}" + (f" = {parts}" if parts else "")

    def summary_json(self) -> str:
        """Returns the last line of `--json`."""
        summary = {"sent": self.sent, **self.counts(), "outcomes": self.outcome_counts()}
        return json.dumps({"summary": summary}, separators=(",", ":"))


class ResultPrinter:
    """Prints and counts each result as it arrives."""

    def __init__(
        self, tally: Tally, notify: Callable[[str], None], *, as_json: bool, rejected: IO[bytes] | None
    ) -> None:
        """`notify` shows a line to a person. Rejected and unreadable lines are written to the file `rejected`."""
        self._tally = tally
        self._notify = notify
        self._as_json = as_json
        self._rejected = rejected
        self._shown: Counter[str] = Counter()

    @property
    def needs_text(self) -> bool:
        """Whether `on_result` needs the text of lines."""
        return self._rejected is not None

    def on_unreadable(self, number: int, text: bytes | None, reason: str) -> None:
        """Reports a line that is not an envelope."""
        self._tally.unreadable += 1
        if self._as_json:
            print_json({"line": number, "unreadable": reason})
        else:
            self._show("unreadable", f"line {number}: unreadable: {printable(reason)}")
        if self._rejected is not None and text is not None:
            self._rejected.write(text + b"\n")

    def on_result(self, number: int, text: bytes, result: EnvelopeResult) -> None:
        """Reports the daemon's result for a line."""
        self._tally.results[result.disposition] += 1
        if self._as_json:
            print_json({"line": number, "result": message_to_json(result)})
        elif result.disposition in NOT_ACCEPTED:
            name = NOT_ACCEPTED[result.disposition]
            self._show(name, f"line {number} ({printable(result.envelope_id)}): {name}: {violations_text(result)}")
        if self._rejected is not None and result.disposition == ingest_pb2.DISPOSITION_REJECTED:
            self._rejected.write(text + b"\n")

    def on_outcome(self, outcome: outcome_pb2.Outcome) -> None:
        """Reports an outcome that was waited for."""
        self._tally.outcomes[outcome.type] += 1
        if self._as_json:
            print_json({"outcome": message_to_json(outcome)})

    def _show(self, kind: str, text: str) -> None:
        self._shown[kind] += 1
        if self._shown[kind] <= SHOWN_MAX:
            self._notify(text)
        elif self._shown[kind] == SHOWN_MAX + 1:
            self._notify(f"further {kind} lines are only counted; --json shows each")


def violations_text(result: EnvelopeResult) -> str:
    """Returns all violations of a result in one line."""
    violations = [
        f"{violation.reason}{' ' + violation.field if violation.field else ''}: {violation.message}"
        for violation in result.violations
    ]
    return printable("; ".join(violations), characters_max=None)
