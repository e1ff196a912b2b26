"""The fewest calls for what was sent."""

import pytest
from sending import NOON

from intercomd_daemon.cli.demo import kinds, people
from intercomd_daemon.cli.demo.least import Calls, fewest
from intercomd_daemon.cli.demo.oddities import refused_by_intercom
from intercomd_daemon.cli.demo.step import Step

ADA, CARL = people.person(0), people.person(2)
SIGN_UP = kinds.sign_up(ADA, NOON)
CLICK = kinds.custom(ADA, NOON, "clicked", {})
PURCHASE = kinds.purchase(ADA, NOON, 2, 1)
CHANGE = kinds.plan_change(ADA, NOON, "team", 3)
PROFILE = kinds.profile(ADA, NOON, ["api"], "1.50")
SAME = kinds.sync(ADA, NOON, ADA.plan)


@pytest.mark.parametrize(
    ("steps", "known", "calls"),
    [
        ((), (), Calls()),
        ((SIGN_UP,), (), Calls(1, 1)),
        ((SIGN_UP,), (ADA.key,), Calls(2, 1)),
        ((SIGN_UP, CLICK, CLICK), (), Calls(1, 3)),
        ((PURCHASE,), (), Calls(1, 3)),
        ((SIGN_UP, CHANGE), (), Calls(2, 2)),
        ((SIGN_UP, CHANGE, CHANGE), (), Calls(2, 3)),
        ((SIGN_UP, PROFILE, SAME, PROFILE), (), Calls(2, 1)),
        ((SIGN_UP, PROFILE, CHANGE), (), Calls(2, 2)),
        ((SIGN_UP, SAME), (), Calls(1, 1)),
        ((SIGN_UP, kinds.sign_up(CARL, NOON)), (), Calls(2, 2)),
        (tuple(refused_by_intercom(NOON)), (), Calls(2, 0)),
    ],
)
def test_contacts_events_and_changes_are_counted(steps: tuple[Step, ...], known: tuple[str, ...], calls: Calls) -> None:
    assert fewest(steps, known) == calls


def test_only_calls_are_added_to_calls() -> None:
    with pytest.raises(TypeError):
        Calls() + 1
