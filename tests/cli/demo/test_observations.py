"""Tests the observations of the demo."""

from collections import Counter

from intercomd import EnvelopeResult
from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.demo import builders, personas
from intercomd_daemon.cli.demo.builders import FinalState, Step
from intercomd_daemon.cli.demo.observations import Observations, ObservedCall, SentStep
from senders.client import NOON

ACCEPTED, DUPLICATE = ingest_pb2.DISPOSITION_ACCEPTED, ingest_pb2.DISPOSITION_DUPLICATE
REJECTED, SKIPPED = ingest_pb2.DISPOSITION_REJECTED, ingest_pb2.DISPOSITION_SKIPPED


def step(envelope_id: str) -> Step:
    made = builders.custom(personas.persona(0), NOON, "clicked", {})
    made.envelope.envelope_id = envelope_id
    return made


def observed(*answers: tuple[str, int], ends: dict[str, int] | None = None) -> Observations:
    answered = []
    for envelope_id, disposition in answers:
        violations = [ingest_pb2.Violation(reason="BECAUSE")] if disposition in {REJECTED, SKIPPED} else []
        result = EnvelopeResult(envelope_id=envelope_id, disposition=disposition, violations=violations)
        answered.append(SentStep(step(envelope_id), result))
    outcomes = [outcome_pb2.Outcome(envelope_id=name, type=end, reason="") for name, end in (ends or {}).items()]
    return Observations(tuple(answered), tuple(outcomes), (), 0, {}, (), 0)


def test_final_states_join_journal_and_results() -> None:
    ends = {"a": outcome_pb2.OUTCOME_TYPE_DELIVERED, "b": outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED}
    seen = observed(("a", ACCEPTED), ("b", ACCEPTED), ("c", REJECTED), ("d", SKIPPED), ("a", DUPLICATE), ends=ends)
    assert [final_state for _, final_state, _ in seen.final_states()] == [
        FinalState.DELIVERED,
        FinalState.DEAD_LETTER,
        FinalState.REJECTED,
        FinalState.SKIPPED,
        FinalState.DUPLICATE,
    ]
    assert seen.totals() == Counter(
        dict.fromkeys((FinalState.DELIVERED, FinalState.DEAD_LETTER, FinalState.REJECTED, FinalState.SKIPPED), 1)
    ) + Counter({FinalState.DUPLICATE: 1})


def test_final_states_count_a_first_duplicate_as_accepted() -> None:
    seen = observed(("a", DUPLICATE), ("a", DUPLICATE), ends={"a": outcome_pb2.OUTCOME_TYPE_DELIVERED})
    assert [final_state for _, final_state, _ in seen.final_states()] == [FinalState.DELIVERED, FinalState.DUPLICATE]


def test_envelope_without_an_outcome_has_no_final_state() -> None:
    assert [final_state for _, final_state, _ in observed(("a", ACCEPTED)).final_states()] == [None]


def test_final_states_have_the_reason_of_the_first_violation() -> None:
    assert [reason for _, _, reason in observed(("a", REJECTED)).final_states()] == ["BECAUSE"]


def test_observed_call_subject_follows_its_path() -> None:
    paths = ("/contacts", "/contacts/1f", "/events", "/me", "/data_attributes")
    assert [ObservedCall("GET", path, 200, failed=False).subject for path in paths] == [
        "contacts",
        "contacts",
        "events",
        "access",
        "access",
    ]
