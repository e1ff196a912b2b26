"""The kinds of envelopes: what the demo expects of them is what the daemon's rules make of them."""

import pytest
from examining import examined, stored
from sending import NOON

from intercomd.v1 import envelope_pb2
from intercomd_daemon.cli.demo import kinds, people
from intercomd_daemon.cli.demo.step import Step

ADA = people.person(0)
SERVER = envelope_pb2.SOURCE_SERVER
STEPS = (
    kinds.sign_up(ADA, NOON),
    kinds.custom(ADA, NOON, "searched", {"query": "x"}),
    kinds.custom(ADA, NOON, "trial.extended", {}, final_name="trial-extended"),
    kinds.invoice(ADA, NOON, 7),
    kinds.purchase(ADA, NOON, 1, SERVER),
    kinds.purchase(ADA, NOON, 3, SERVER),
    kinds.session_end(ADA, NOON, 60),
    kinds.plan_change(ADA, NOON, "team", 7),
    kinds.profile(ADA, NOON, ["reports", "api"], "100.50"),
    kinds.sync(ADA, NOON, "team"),
)


@pytest.mark.parametrize("step", STEPS, ids=[f"{place} {step.kind}" for place, step in enumerate(STEPS)])
def test_each_becomes_the_events_and_fields_that_are_expected(step: Step) -> None:
    result = examined(step.envelope, NOON + 86_400)
    assert result.accepted is not None, result.violations
    assert tuple((event.name, event.created_at) for event in result.accepted.events) == step.events
    assert stored(result) == step.stored
