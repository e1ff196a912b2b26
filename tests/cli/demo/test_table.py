"""The end of the demo: numbers that add up."""

import pytest
from sending import NOON

from intercomd import EnvelopeResult
from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd.v1.envelope_pb2 import Adjustment
from intercomd_daemon.cli.demo import kinds, people, table
from intercomd_daemon.cli.demo.checks import Check
from intercomd_daemon.cli.demo.evidence import Answered, Evidence, Made, Taken
from intercomd_daemon.cli.demo.least import Calls
from intercomd_daemon.cli.demo.samples import Sample

ADA = people.person(0)
STEP = kinds.purchase(ADA, NOON, 1, 1)
STEP.envelope.envelope_id = "e-1"
CHANGED = Adjustment(reason="VALUE_TRUNCATED", message="m" * 200)
DELIVERED, DEAD = outcome_pb2.OUTCOME_TYPE_DELIVERED, outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED


def evidence(end: int = DELIVERED) -> Evidence:
    result = EnvelopeResult(
        envelope_id="e-1", disposition=ingest_pb2.DISPOSITION_ACCEPTED, adjustments=[CHANGED, CHANGED]
    )
    calls = [("/contacts", False), ("/events", False), ("/events", True), ("/me", False)]
    return Evidence(
        answered=(Answered(STEP, result),),
        outcomes=(outcome_pb2.Outcome(envelope_id="e-1", type=end, reason="TOO_LARGE"),),
        events=tuple(Taken(ADA.key, *event) for event in STEP.events),
        repeats=1,
        contacts={},
        calls=tuple(Made("POST", path, 200, spoilt=spoilt) for path, spoilt in calls),
        illegal=0,
    )


def test_the_sum_of_each_column_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_envelopes(evidence())
    lines = capsys.readouterr().out.splitlines()
    row, total = (line.split() for line in lines[3:5])
    assert row[-8:] == ["1", "1", "-", "-", "-", "-", "-", "2"]
    assert total == ["all", "1", "1", "0", "0", "0", "0", "0", "2"]
    assert lines[5] == "1 sent = 1 delivered + 0 unchanged + 0 dead letters + 0 skipped + 0 rejected + 0 duplicates"


def test_calls_stand_beside_the_fewest_possible(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_calls(evidence(), Calls(1, 1))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[3:6]]
    assert rows == [
        ["contacts", "1", "1", "-"],
        ["events", "1", "1", "1"],
        ["access,", "custom", "attributes", "1", "-"],
    ]


def test_changes_are_counted_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_changes(evidence())
    assert capsys.readouterr().out.splitlines()[3].split() == ["VALUE_TRUNCATED", "2", "m" * 109 + "…"]


def test_dead_letters_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_dead_letters(evidence(DEAD))
    assert capsys.readouterr().out.splitlines()[3].split() == ["e-1", "TOO_LARGE"]


def test_examples_have_their_calls_below_them(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_samples([Sample("event", "{}", ("POST /events {} -> 202",))])
    assert capsys.readouterr().out.splitlines()[2:] == ["event: {}", "  POST /events {} -> 202"]


def test_what_is_wrong_stands_below_the_law(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_checks([Check("it adds up", ()), Check("it is in order", ("c-1",))])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["holds", "it", "adds", "up"],
        ["WRONG", "it", "is", "in", "order"],
        ["c-1"],
    ]


def test_where_all_holds_the_next_step_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_checks([Check("it adds up", ())])
    assert "`intercomd sandbox`" in capsys.readouterr().out
