"""What is said about lines while they are sent: the ones that were not taken, by line; all of them as JSON."""

import json
from collections import Counter
from typing import IO, Protocol

from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd.v1.ingest_pb2 import EnvelopeResult
from intercomd_daemon.cli.json_lines import as_json, print_json
from intercomd_daemon.cli.sending.tally import Tally
from intercomd_daemon.cli.words import plain

SHOWN_MAX = 20
"""Of each kind; the rest is counted."""
NOT_TAKEN = {ingest_pb2.DISPOSITION_SKIPPED: "skipped", ingest_pb2.DISPOSITION_REJECTED: "rejected"}


class Screen(Protocol):
    """Where a line for a person goes."""

    def tell(self, text: str) -> None:
        """Shows it."""
        ...


class Report:
    """Counts, and tells."""

    def __init__(self, tally: Tally, screen: Screen, *, as_json: bool, rejected: IO[bytes] | None) -> None:
        """`rejected` takes the lines back that were not taken and must be changed."""
        self._tally = tally
        self._screen = screen
        self._as_json = as_json
        self._rejected = rejected
        self._shown: Counter[str] = Counter()

    @property
    def keeps_lines(self) -> bool:
        """Whether the text of a line is wanted when its result comes."""
        return self._rejected is not None

    def unreadable(self, number: int, text: bytes | None, reason: str) -> None:
        """A line is no envelope."""
        self._tally.unreadable += 1
        if self._as_json:
            print_json({"line": number, "unreadable": reason})
        else:
            self._tell("unreadable", f"line {number}: unreadable: {plain(reason)}")
        if self._rejected is not None and text is not None:
            self._rejected.write(text + b"\n")

    def result(self, number: int, text: bytes, result: EnvelopeResult) -> None:
        """The daemon has answered about a line."""
        self._tally.answered[result.disposition] += 1
        if self._as_json:
            print_json({"line": number, "result": as_json(result)})
        elif result.disposition in NOT_TAKEN:
            word = NOT_TAKEN[result.disposition]
            self._tell(word, f"line {number} ({plain(result.envelope_id)}): {word}: {why(result)}")
        if self._rejected is not None and result.disposition == ingest_pb2.DISPOSITION_REJECTED:
            self._rejected.write(text + b"\n")

    def outcome(self, outcome: outcome_pb2.Outcome) -> None:
        """An envelope has ended that was waited for."""
        self._tally.outcomes[outcome.type] += 1
        if self._as_json:
            print_json({"outcome": as_json(outcome)})

    def _tell(self, kind: str, text: str) -> None:
        self._shown[kind] += 1
        if self._shown[kind] <= SHOWN_MAX:
            self._screen.tell(text)
        elif self._shown[kind] == SHOWN_MAX + 1:
            self._screen.tell(f"further lines that are {kind} are only counted; --json names each")


def why(result: EnvelopeResult) -> str:
    """All that was found against an envelope."""
    found = [
        f"{violation.reason}{' ' + violation.field if violation.field else ''}: {violation.message}"
        for violation in result.violations
    ]
    return plain("; ".join(found), characters_max=None)


def summary_json(tally: Tally) -> str:
    """The last line of `--json`."""
    summary = {"sent": tally.sent, **tally.parts(), "outcomes": tally.ends()}
    return json.dumps({"summary": summary}, separators=(",", ":"))
