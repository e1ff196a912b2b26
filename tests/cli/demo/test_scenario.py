"""Tests the scenario of the demo."""

from collections import Counter

from ingest.decision import decided, stored
from intercomd_daemon.cli.demo.builders import FinalState, Step
from intercomd_daemon.cli.demo.scenario import SENT_AGAIN, SYNCED, scenario
from intercomd_daemon.ingest.decision import Disposition
from senders.client import NOON

STEPS = scenario(NOON).steps
NOW = NOON + 6 * 3600


def test_scenario_is_the_same_at_every_run() -> None:
    assert scenario(NOON) == scenario(NOON)


def test_scenario_has_every_final_state() -> None:
    final_states = Counter(step.final_state for step in STEPS)
    assert 300 < len(STEPS) < 500
    assert set(final_states) == set(FinalState)
    assert (final_states[FinalState.UNCHANGED], final_states[FinalState.DUPLICATE]) == (SYNCED, 4 * SENT_AGAIN)


def test_scenario_ids_are_unique_except_for_duplicates() -> None:
    ids = [step.envelope.envelope_id for step in STEPS if step.final_state is not FinalState.DUPLICATE]
    assert len(set(ids)) == len(ids)
    assert {step.envelope.envelope_id for step in STEPS if step.final_state is FinalState.DUPLICATE} <= set(ids)


def test_scenario_users_belong_to_one_sender() -> None:
    senders: dict[str, set[str]] = {}
    for sender, steps in scenario(NOON).daytime.items():
        for step in steps:
            senders.setdefault(step.user, set()).add(sender)
    assert [user for user, of in senders.items() if user and len(of) > 1] == []


def test_scenario_events_are_unique_within_a_second() -> None:
    expected = Counter((step.user, event) for step in STEPS for event in step.events)
    assert expected.total() == len(expected)


def test_scenario_is_in_the_past() -> None:
    assert max(step.envelope.event_time.seconds for step in STEPS) < NOW


def test_scenario_expects_what_the_daemon_accepts() -> None:
    assert [step.envelope.envelope_id for step in STEPS if not _fits(step)] == []


def _fits(step: Step) -> bool:
    result = decided(step.envelope, NOW)
    if step.final_state in {FinalState.SKIPPED, FinalState.REJECTED}:
        return result.disposition is Disposition[step.final_state.name] and result.violations[0].reason == step.reason
    if step.final_state in {FinalState.DUPLICATE, FinalState.DEAD_LETTER}:
        return result.accepted is not None
    names = [event.name for event in result.accepted.events] if result.accepted else []
    return names == [event.name for event in step.events] and stored(result) == step.stored
