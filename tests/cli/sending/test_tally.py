"""Numbers that add up."""

import pytest

from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.sending.tally import Tally

ACCEPTED, REJECTED = ingest_pb2.DISPOSITION_ACCEPTED, ingest_pb2.DISPOSITION_REJECTED


def tally(sent: int, unreadable: int = 0, awaited: int = 0, **counts: dict[int, int]) -> Tally:
    made = Tally(sent=sent, unreadable=unreadable, awaited=awaited)
    made.answered.update(counts.get("answered", {}))
    made.outcomes.update(counts.get("outcomes", {}))
    return made


def test_all_lines_are_in_the_summary() -> None:
    every = dict(zip(ingest_pb2.Disposition.values()[1:], (1000, 4, 3, 2), strict=True))
    assert tally(1014, unreadable=5, answered=every).summary("sent") == (
        "sent 1,014 = accepted 1,000 + duplicates 4 + skipped 3 + rejected 2 + unreadable 5"
    )


def test_what_was_not_answered_and_what_is_not_known_is_named() -> None:
    counted = tally(10, answered={ACCEPTED: 5, 99: 2})
    assert counted.summary("sent") == (
        "sent 10 = accepted 5 + duplicates 0 + skipped 0 + rejected 0 + unreadable 0 + other 2 + unanswered 3"
    )


def test_outcomes_are_summed_up_the_most_frequent_first() -> None:
    ends = {outcome_pb2.OUTCOME_TYPE_UNCHANGED: 1, outcome_pb2.OUTCOME_TYPE_DELIVERED: 9}
    assert tally(10, outcomes=ends).outcome_summary() == "outcomes 10 = delivered 9 + unchanged 1"
    assert tally(10, awaited=2, outcomes=ends).outcome_summary() == (
        "outcomes 12 = delivered 9 + unchanged 1 + unknown 2"
    )
    assert tally(0).outcome_summary() == "outcomes 0"


@pytest.mark.parametrize(
    ("counted", "well"),
    [
        (tally(1, answered={ACCEPTED: 1}), True),
        (tally(1, answered={ingest_pb2.DISPOSITION_SKIPPED: 1}), True),
        (tally(1, answered={REJECTED: 1}), False),
        (tally(1, unreadable=1), False),
        (tally(1), False),
        (tally(1, awaited=1, answered={ACCEPTED: 1}), False),
        (tally(1, answered={ACCEPTED: 1}, outcomes={outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: 1}), False),
        (tally(1, answered={ACCEPTED: 1}, outcomes={outcome_pb2.OUTCOME_TYPE_DELIVERED: 1}), True),
    ],
)
def test_it_is_well_if_every_line_was_taken_and_none_came_to_a_bad_end(counted: Tally, well: bool) -> None:
    assert counted.well is well
