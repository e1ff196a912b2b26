"""Tests counting and printing the results of lines."""

import io
import json

import pytest

from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.sending.results import SHOWN_MAX, ResultPrinter, Tally, violations_text

REJECTED = ingest_pb2.EnvelopeResult(
    envelope_id="e-1",
    disposition=ingest_pb2.DISPOSITION_REJECTED,
    violations=[ingest_pb2.Violation(reason="INVALID_EMAIL", field="identity.email", message="correct it")],
)
ACCEPTED = ingest_pb2.EnvelopeResult(envelope_id="e-2", disposition=ingest_pb2.DISPOSITION_ACCEPTED)
SKIPPED = ingest_pb2.EnvelopeResult(disposition=ingest_pb2.DISPOSITION_SKIPPED)


def test_results_name_lines_that_were_not_accepted_with_the_reason() -> None:
    notices: list[str] = []
    results = ResultPrinter(Tally(), notices.append, as_json=False, rejected=None)
    results.on_result(3, b"", REJECTED)
    results.on_result(4, b"", ACCEPTED)
    results.on_unreadable(5, b"{", "not JSON")
    assert notices == [
        "line 3 (e-1): rejected: INVALID_EMAIL identity.email: correct it",
        "line 5: unreadable: not JSON",
    ]


def test_results_only_count_lines_of_a_kind_beyond_the_maximum() -> None:
    notices: list[str] = []
    tally = Tally()
    results = ResultPrinter(tally, notices.append, as_json=False, rejected=None)
    for number in range(3 * SHOWN_MAX):
        results.on_result(number, b"", SKIPPED)
    results.on_result(1, b"", REJECTED)
    assert len(notices) == SHOWN_MAX + 2
    assert "only counted" in notices[-2]
    assert "rejected" in notices[-1]
    assert tally.results[ingest_pb2.DISPOSITION_SKIPPED] == 3 * SHOWN_MAX


def test_results_write_rejected_and_unreadable_lines_to_a_file() -> None:
    back = io.BytesIO()
    results = ResultPrinter(Tally(), [].append, as_json=False, rejected=back)
    assert results.needs_text
    results.on_result(1, b"one", REJECTED)
    results.on_result(2, b"two", ACCEPTED)
    results.on_result(3, b"three", SKIPPED)
    results.on_unreadable(4, b"four", "not JSON")
    results.on_unreadable(5, None, "too long")
    assert back.getvalue() == b"one\nfour\n"


def test_results_print_every_line_and_outcome_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    notices: list[str] = []
    results = ResultPrinter(Tally(), notices.append, as_json=True, rejected=None)
    results.on_result(1, b"", REJECTED)
    results.on_result(2, b"", ACCEPTED)
    results.on_unreadable(3, b"", "not JSON")
    results.on_outcome(outcome_pb2.Outcome(envelope_id="e-2"))
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each.get("line") for each in printed] == [1, 2, 3, None]
    assert (printed[1]["result"]["envelope_id"], printed[3]["outcome"]["envelope_id"]) == ("e-2", "e-2")
    assert notices == []


def test_violations_text_has_all_violations_and_no_control_character() -> None:
    violations = [
        ingest_pb2.Violation(reason="A", message="a\x1b"),
        ingest_pb2.Violation(reason="B", field="f", message="b"),
    ]
    assert violations_text(ingest_pb2.EnvelopeResult(violations=violations)) == "A: a\\x1b; B f: b"


def test_summary_json_has_every_count() -> None:
    tally = Tally(sent=1, unreadable=1)
    assert json.loads(tally.summary_json())["summary"] == {
        "sent": 1, "accepted": 0, "duplicates": 0, "skipped": 0, "rejected": 0, "unreadable": 1, "outcomes": {},
    }  # fmt: skip


def tally(sent: int, unreadable: int = 0, outcomes_unknown: int = 0, **counts: dict[int, int]) -> Tally:
    made = Tally(sent=sent, unreadable=unreadable, outcomes_unknown=outcomes_unknown)
    made.results.update(counts.get("results", {}))
    made.outcomes.update(counts.get("outcomes", {}))
    return made


def test_summary_adds_up_all_lines() -> None:
    every = dict(zip(ingest_pb2.Disposition.values()[1:], (1000, 4, 3, 2), strict=True))
    assert tally(1014, unreadable=5, results=every).summary("sent") == (
        "sent 1,014 = accepted 1,000 + duplicates 4 + skipped 3 + rejected 2 + unreadable 5"
    )


def test_summary_names_unanswered_lines_and_unknown_dispositions() -> None:
    counted = tally(10, results={ingest_pb2.DISPOSITION_ACCEPTED: 5, 99: 2})
    assert counted.summary("sent") == (
        "sent 10 = accepted 5 + duplicates 0 + skipped 0 + rejected 0 + unreadable 0 + other 2 + unanswered 3"
    )


def test_outcome_summary_orders_by_frequency() -> None:
    ends = {outcome_pb2.OUTCOME_TYPE_UNCHANGED: 1, outcome_pb2.OUTCOME_TYPE_DELIVERED: 9}
    assert tally(10, outcomes=ends).outcome_summary() == "outcomes 10 = delivered 9 + unchanged 1"
    assert tally(10, outcomes_unknown=2, outcomes=ends).outcome_summary() == (
        "outcomes 12 = delivered 9 + unchanged 1 + unknown 2"
    )
    assert tally(0).outcome_summary() == "outcomes 0"


@pytest.mark.parametrize(
    ("counted", "successful"),
    [
        (tally(1, results={ingest_pb2.DISPOSITION_ACCEPTED: 1}), True),
        (tally(1, results={ingest_pb2.DISPOSITION_SKIPPED: 1}), True),
        (tally(1, results={ingest_pb2.DISPOSITION_REJECTED: 1}), False),
        (tally(1, unreadable=1), False),
        (tally(1), False),
        (tally(1, outcomes_unknown=1, results={ingest_pb2.DISPOSITION_ACCEPTED: 1}), False),
        (
            tally(
                1, results={ingest_pb2.DISPOSITION_ACCEPTED: 1}, outcomes={outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: 1}
            ),
            False,
        ),
        (
            tally(1, results={ingest_pb2.DISPOSITION_ACCEPTED: 1}, outcomes={outcome_pb2.OUTCOME_TYPE_DELIVERED: 1}),
            True,
        ),
    ],
)
def test_tally_is_successful_without_rejected_unsent_or_dead_lettered_lines(counted: Tally, successful: bool) -> None:
    assert counted.successful is successful
