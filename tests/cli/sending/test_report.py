"""What is said about lines."""

import io
import json

import pytest

from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.sending.report import SHOWN_MAX, Report, summary_json, why
from intercomd_daemon.cli.sending.tally import Tally

REJECTED = ingest_pb2.EnvelopeResult(
    envelope_id="e-1",
    disposition=ingest_pb2.DISPOSITION_REJECTED,
    violations=[ingest_pb2.Violation(reason="INVALID_EMAIL", field="identity.email", message="mend it")],
)
ACCEPTED = ingest_pb2.EnvelopeResult(envelope_id="e-2", disposition=ingest_pb2.DISPOSITION_ACCEPTED)
SKIPPED = ingest_pb2.EnvelopeResult(disposition=ingest_pb2.DISPOSITION_SKIPPED)


class Screen:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, text: str) -> None:
        self.lines.append(text)


def test_people_hear_of_what_was_not_taken_by_line_with_the_reason() -> None:
    screen = Screen()
    report = Report(Tally(), screen, as_json=False, rejected=None)
    report.result(3, b"", REJECTED)
    report.result(4, b"", ACCEPTED)
    report.unreadable(5, b"{", "not JSON")
    assert screen.lines == [
        "line 3 (e-1): rejected: INVALID_EMAIL identity.email: mend it",
        "line 5: unreadable: not JSON",
    ]


def test_many_of_a_kind_are_only_counted_and_do_not_hide_the_others() -> None:
    screen, tally = Screen(), Tally()
    report = Report(tally, screen, as_json=False, rejected=None)
    for number in range(3 * SHOWN_MAX):
        report.result(number, b"", SKIPPED)
    report.result(1, b"", REJECTED)
    assert len(screen.lines) == SHOWN_MAX + 2
    assert "only counted" in screen.lines[-2]
    assert "rejected" in screen.lines[-1]
    assert tally.answered[ingest_pb2.DISPOSITION_SKIPPED] == 3 * SHOWN_MAX


def test_rejected_and_unreadable_lines_are_written_back() -> None:
    back = io.BytesIO()
    report = Report(Tally(), Screen(), as_json=False, rejected=back)
    assert report.keeps_lines
    report.result(1, b"one", REJECTED)
    report.result(2, b"two", ACCEPTED)
    report.result(3, b"three", SKIPPED)
    report.unreadable(4, b"four", "not JSON")
    report.unreadable(5, None, "too long")
    assert back.getvalue() == b"one\nfour\n"


def test_scripts_hear_of_every_line_and_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    report = Report(Tally(), screen, as_json=True, rejected=None)
    report.result(1, b"", REJECTED)
    report.result(2, b"", ACCEPTED)
    report.unreadable(3, b"", "not JSON")
    report.outcome(outcome_pb2.Outcome(envelope_id="e-2"))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each.get("line") for each in told] == [1, 2, 3, None]
    assert (told[1]["result"]["envelope_id"], told[3]["outcome"]["envelope_id"]) == ("e-2", "e-2")
    assert screen.lines == []


def test_all_reasons_are_told_and_none_steers_a_terminal() -> None:
    violations = [
        ingest_pb2.Violation(reason="A", message="a\x1b"),
        ingest_pb2.Violation(reason="B", field="f", message="b"),
    ]
    assert why(ingest_pb2.EnvelopeResult(violations=violations)) == "A: a\\x1b; B f: b"


def test_the_last_line_for_scripts_sums_up() -> None:
    tally = Tally(sent=1, unreadable=1)
    assert json.loads(summary_json(tally))["summary"] == {
        "sent": 1, "accepted": 0, "duplicates": 0, "skipped": 0, "rejected": 0, "unreadable": 1, "outcomes": {},
    }  # fmt: skip
