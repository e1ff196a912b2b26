"""JSON for scripts: a line for each value, under the names of the contract."""

import json

import pytest

from intercomd.v1.outcome_pb2 import OUTCOME_TYPE_DELIVERED, Outcome
from intercomd_daemon.cli.json_lines import as_json, print_json


def test_a_message_has_the_contracts_names_and_all_its_fields() -> None:
    held = as_json(Outcome(sequence=7, envelope_id="é", type=OUTCOME_TYPE_DELIVERED))
    assert (held["sequence"], held["envelope_id"], held["type"]) == ("7", "é", "OUTCOME_TYPE_DELIVERED")
    assert (held["reason"], held["effects"], held["replay"]) == ("", [], 0)


def test_fields_that_are_not_set_may_be_left_out() -> None:
    assert as_json(Outcome(sequence=7), every_field=False) == {"sequence": "7"}


def test_each_value_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"line": "a\nb"})
    print_json(Outcome(sequence=1))
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line).get("sequence") for line in lines] == [None, "1"]
