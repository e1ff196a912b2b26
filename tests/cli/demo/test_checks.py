"""What must hold is found to hold, and whatever is wrong is found."""

from dataclasses import replace

import pytest
from sending import NOON

from intercomd import EnvelopeResult
from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.demo import kinds, people
from intercomd_daemon.cli.demo.checks import checks, orders
from intercomd_daemon.cli.demo.evidence import Answered, Evidence, Made, Taken
from intercomd_daemon.cli.demo.step import Step

ADA = people.person(0)


def numbered(*steps: Step) -> list[Step]:
    for number, step in enumerate(steps):
        step.envelope.envelope_id = str(number)
    return list(steps)


STEPS = numbered(
    kinds.sign_up(ADA, NOON), kinds.custom(ADA, NOON + 60, "clicked", {}), kinds.plan_change(ADA, NOON + 90, "team", 3)
)
ACCEPTED = ingest_pb2.DISPOSITION_ACCEPTED
WELL = Evidence(
    answered=tuple(
        Answered(step, EnvelopeResult(envelope_id=step.envelope.envelope_id, disposition=ACCEPTED)) for step in STEPS
    ),
    outcomes=tuple(
        outcome_pb2.Outcome(envelope_id=step.envelope.envelope_id, type=outcome_pb2.OUTCOME_TYPE_DELIVERED)
        for step in STEPS
    ),
    events=tuple(event for events in orders(STEPS).values() for event in events),
    repeats=0,
    contacts={ADA.key: {"name": ADA.name, "plan": "team", "seats": 3.0, "signed_up_at": NOON}},
    calls=tuple(
        Made("POST", path, 200, spoilt=False) for path in ("/contacts", "/contacts", "/events", "/events", "/events")
    ),
    illegal=0,
)


def wrong(evidence: Evidence) -> set[str]:
    return {check.law for check in checks(STEPS, evidence, frozenset()) if not check.holds}


def test_what_is_well_holds() -> None:
    assert wrong(WELL) == set()


SWAPPED = (WELL.events[1], WELL.events[0], *WELL.events[2:])
MANY = 3 * WELL.calls
CASES = (
    (replace(WELL, outcomes=WELL.outcomes[1:]), {"exactly one outcome", "ended as it had to", "add up"}),
    (replace(WELL, outcomes=(*WELL.outcomes, WELL.outcomes[0])), {"exactly one outcome", "add up"}),
    (replace(WELL, answered=WELL.answered[1:]), {"add up"}),
    (replace(WELL, events=WELL.events[1:]), {"exactly once", "in order"}),
    (replace(WELL, events=(*WELL.events, WELL.events[0])), {"exactly once", "in order"}),
    (replace(WELL, events=(*WELL.events, Taken("stranger", "x", 1))), {"exactly once"}),
    (replace(WELL, events=SWAPPED), {"in order"}),
    (replace(WELL, contacts={}), {"last said"}),
    (replace(WELL, contacts={ADA.key: WELL.contacts[ADA.key] | {"plan": "free"}}), {"last said"}),
    (replace(WELL, illegal=1), {"does not describe"}),
    (replace(WELL, calls=MANY), {"at most one call"}),
)


@pytest.mark.parametrize(("evidence", "laws"), CASES)
def test_what_is_wrong_is_found(evidence: Evidence, laws: set[str]) -> None:
    found = wrong(evidence)
    assert len(found) == len(laws)
    assert all(any(part in law for law in found) for part in laws)


def test_only_the_first_few_of_many_wrongs_are_named() -> None:
    found = checks(STEPS, replace(WELL, contacts={}), frozenset())
    (check,) = [check for check in found if not check.holds]
    assert (len(check.wrong), check.wrong[-1]) == (4, "and 1 more")
