"""Tests the builders of the demo."""

import pytest

from ingest.decision import decided, stored
from intercomd.v1 import envelope_pb2
from intercomd_daemon.cli.demo import builders, personas
from intercomd_daemon.cli.demo.builders import FinalState, Step
from senders.client import NOON

ADA = personas.persona(0)
SERVER = envelope_pb2.SOURCE_SERVER
STEPS = (
    builders.sign_up(ADA, NOON),
    builders.custom(ADA, NOON, "searched", {"query": "x"}),
    builders.custom(ADA, NOON, "trial.extended", {}, final_name="trial-extended"),
    builders.invoice(ADA, NOON, 7),
    builders.purchase(ADA, NOON, 1, SERVER),
    builders.purchase(ADA, NOON, 3, SERVER),
    builders.session_end(ADA, NOON, 60),
    builders.plan_change(ADA, NOON, "team", 7),
    builders.profile(ADA, NOON, ["reports", "api"], "100.50"),
    builders.sync(ADA, NOON, "team"),
)


@pytest.mark.parametrize("step", STEPS, ids=[f"{place} {step.kind}" for place, step in enumerate(STEPS)])
def test_builders_expect_what_the_daemon_accepts(step: Step) -> None:
    result = decided(step.envelope, NOON + 86_400)
    assert result.accepted is not None, result.violations
    assert tuple((event.name, event.created_at) for event in result.accepted.events) == step.events
    assert stored(result) == step.stored


def test_final_state_accepted_has_an_outcome() -> None:
    assert {final_state for final_state in FinalState if final_state.accepted} == {
        FinalState.DELIVERED,
        FinalState.UNCHANGED,
        FinalState.DEAD_LETTER,
    }
