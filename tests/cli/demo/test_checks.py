"""Tests the checks of the demo."""

from dataclasses import replace

import pytest

from intercomd import EnvelopeResult
from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.demo import builders, personas
from intercomd_daemon.cli.demo.builders import Step
from intercomd_daemon.cli.demo.checks import CallCounts, checks, expected_events, fewest_calls
from intercomd_daemon.cli.demo.edge_cases import refused_by_intercom
from intercomd_daemon.cli.demo.observations import Observations, ObservedCall, ReceivedEvent, SentStep
from senders.client import NOON

ADA = personas.persona(0)


def numbered(*steps: Step) -> list[Step]:
    for number, step in enumerate(steps):
        step.envelope.envelope_id = str(number)
    return list(steps)


STEPS = numbered(
    builders.sign_up(ADA, NOON),
    builders.custom(ADA, NOON + 60, "clicked", {}),
    builders.plan_change(ADA, NOON + 90, "team", 3),
)
ACCEPTED = ingest_pb2.DISPOSITION_ACCEPTED
WELL = Observations(
    answered=tuple(
        SentStep(step, EnvelopeResult(envelope_id=step.envelope.envelope_id, disposition=ACCEPTED)) for step in STEPS
    ),
    outcomes=tuple(
        outcome_pb2.Outcome(envelope_id=step.envelope.envelope_id, type=outcome_pb2.OUTCOME_TYPE_DELIVERED)
        for step in STEPS
    ),
    events=tuple(event for events in expected_events(STEPS).values() for event in events),
    repeats=0,
    contacts={ADA.key: {"name": ADA.name, "plan": "team", "seats": 3.0, "signed_up_at": NOON}},
    calls=tuple(
        ObservedCall("POST", path, 200, failed=False)
        for path in ("/contacts", "/contacts", "/events", "/events", "/events")
    ),
    illegal=0,
)


def wrong(observed: Observations) -> set[str]:
    return {check.invariant for check in checks(STEPS, observed, frozenset()) if not check.holds}


def test_checks_hold_for_consistent_observations() -> None:
    assert wrong(WELL) == set()


SWAPPED = (WELL.events[1], WELL.events[0], *WELL.events[2:])
MANY = 3 * WELL.calls
CASES = (
    (replace(WELL, outcomes=WELL.outcomes[1:]), {"exactly one outcome", "ended as expected", "add up"}),
    (replace(WELL, outcomes=(*WELL.outcomes, WELL.outcomes[0])), {"exactly one outcome", "add up"}),
    (replace(WELL, answered=WELL.answered[1:]), {"add up"}),
    (replace(WELL, events=WELL.events[1:]), {"exactly once", "in order"}),
    (replace(WELL, events=(*WELL.events, WELL.events[0])), {"exactly once", "in order"}),
    (replace(WELL, events=(*WELL.events, ReceivedEvent("stranger", "x", 1))), {"exactly once"}),
    (replace(WELL, events=SWAPPED), {"in order"}),
    (replace(WELL, contacts={}), {"sent last"}),
    (replace(WELL, contacts={ADA.key: WELL.contacts[ADA.key] | {"plan": "free"}}), {"sent last"}),
    (replace(WELL, illegal=1), {"description allows"}),
    (replace(WELL, calls=MANY), {"at most one call"}),
)


@pytest.mark.parametrize(("observed", "laws"), CASES)
def test_checks_find_each_violation(observed: Observations, laws: set[str]) -> None:
    found = wrong(observed)
    assert len(found) == len(laws)
    assert all(any(part in invariant for invariant in found) for part in laws)


def test_checks_name_only_the_first_violations() -> None:
    found = checks(STEPS, replace(WELL, contacts={}), frozenset())
    (check,) = [check for check in found if not check.holds]
    assert (len(check.violations), check.violations[-1]) == (4, "and 1 more")


ADA, CARL = personas.persona(0), personas.persona(2)
SIGN_UP = builders.sign_up(ADA, NOON)
CLICK = builders.custom(ADA, NOON, "clicked", {})
PURCHASE = builders.purchase(ADA, NOON, 2, 1)
CHANGE = builders.plan_change(ADA, NOON, "team", 3)
PROFILE = builders.profile(ADA, NOON, ["api"], "1.50")
SAME = builders.sync(ADA, NOON, ADA.plan)


@pytest.mark.parametrize(
    ("steps", "known", "calls"),
    [
        ((), (), CallCounts()),
        ((SIGN_UP,), (), CallCounts(1, 1)),
        ((SIGN_UP,), (ADA.key,), CallCounts(2, 1)),
        ((SIGN_UP, CLICK, CLICK), (), CallCounts(1, 3)),
        ((PURCHASE,), (), CallCounts(1, 3)),
        ((SIGN_UP, CHANGE), (), CallCounts(2, 2)),
        ((SIGN_UP, CHANGE, CHANGE), (), CallCounts(2, 3)),
        ((SIGN_UP, PROFILE, SAME, PROFILE), (), CallCounts(2, 1)),
        ((SIGN_UP, PROFILE, CHANGE), (), CallCounts(2, 2)),
        ((SIGN_UP, SAME), (), CallCounts(1, 1)),
        ((SIGN_UP, builders.sign_up(CARL, NOON)), (), CallCounts(2, 2)),
        (tuple(refused_by_intercom(NOON)), (), CallCounts(2, 0)),
    ],
)
def test_fewest_calls_counts_contacts_events_and_changes(
    steps: tuple[Step, ...], known: tuple[str, ...], calls: CallCounts
) -> None:
    assert fewest_calls(steps, known) == calls


def test_call_counts_reject_other_types() -> None:
    with pytest.raises(TypeError):
        CallCounts() + 1
