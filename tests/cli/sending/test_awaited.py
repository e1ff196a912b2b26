"""Which envelopes still have no outcome, in every order in which answers and outcomes may come."""

import pytest

from intercomd.v1.ingest_pb2 import (
    DISPOSITION_ACCEPTED,
    DISPOSITION_DUPLICATE,
    DISPOSITION_REJECTED,
    DISPOSITION_SKIPPED,
)
from intercomd_daemon.cli.sending.awaited import Awaited


def test_an_accepted_one_is_waited_for_until_it_ends() -> None:
    awaited = Awaited()
    awaited.sent("a")
    awaited.answered("a", DISPOSITION_ACCEPTED)
    assert (len(awaited), "a" in awaited) == (1, True)
    assert awaited.ended("a")
    assert (len(awaited), "a" in awaited) == (0, False)


def test_the_outcome_may_come_before_the_answer() -> None:
    awaited = Awaited()
    awaited.sent("a")
    assert awaited.ended("a")
    awaited.answered("a", DISPOSITION_ACCEPTED)
    assert len(awaited) == 0


@pytest.mark.parametrize("disposition", [DISPOSITION_REJECTED, DISPOSITION_SKIPPED])
def test_what_is_not_taken_is_not_waited_for(disposition: int) -> None:
    awaited = Awaited()
    awaited.sent("a")
    awaited.answered("a", disposition)
    assert (len(awaited), awaited.duplicates) == (0, False)


def test_outcomes_of_others_are_not_ours() -> None:
    assert not Awaited().ended("of another sender")


def test_a_duplicate_of_an_earlier_run_is_waited_for_and_may_have_ended() -> None:
    awaited = Awaited()
    awaited.sent("a")
    awaited.answered("a", DISPOSITION_DUPLICATE)
    assert (len(awaited), awaited.duplicates) == (1, True)


def test_of_two_in_one_file_one_outcome_is_waited_for() -> None:
    awaited = Awaited()
    awaited.sent("a")
    awaited.sent("a")
    awaited.answered("a", DISPOSITION_ACCEPTED)
    awaited.answered("a", DISPOSITION_DUPLICATE)
    assert (len(awaited), awaited.duplicates) == (1, False)
    assert awaited.ended("a")
    assert len(awaited) == 0
