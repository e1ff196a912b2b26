from collections.abc import Callable

import pytest
from msgspec.structs import replace

from intercomd_daemon.outcome import DeadLetter, Outcome, OutcomeType
from intercomd_daemon.spool.rows import Completion, DeadLetterFilter, OutcomeFilter


@pytest.fixture
def outcome(ended: Callable[..., Completion]) -> Outcome:
    return replace(ended(1, "e1", "ann", reason="BAD").outcome, email="ann@example.com", accept_time=100.0)


@pytest.mark.parametrize(
    ("field", "same", "other"),
    [
        ("connection", "default", "us"),
        ("envelope_id", "e1", "e2"),
        ("customer_id", "ann", "an"),
        ("email", "ann@example.com", "Ann@example.com"),
        ("types", (OutcomeType.DEAD_LETTERED, OutcomeType.DELIVERED), (OutcomeType.DELIVERED,)),
    ],
)
def test_each_field_of_an_outcome_filter_must_match_alone(
    outcome: Outcome, field: str, same: object, other: object
) -> None:
    assert OutcomeFilter(**{field: same}).matches(outcome)
    assert not OutcomeFilter(**{field: other}).matches(outcome)
    assert not OutcomeFilter(**{"connection": "default", "email": "x", field: other}).matches(outcome)


@pytest.mark.parametrize(
    ("field", "same", "other"),
    [
        ("connection", "default", "us"),
        ("dead_letter_ids", (6, 7), (6,)),
        ("envelope_ids", ("e1", "e2"), ("e2",)),
        ("customer_id", "ann", "bob"),
        ("email", "ann@example.com", "bob@example.com"),
        ("reason", "BAD", "EXPIRED"),
        ("accept_time_from", 100.0, 100.5),
        ("accept_time_to", 100.5, 100.0),
    ],
)
def test_each_field_of_a_dead_letter_filter_must_match_alone(
    outcome: Outcome, ended: Callable[..., Completion], field: str, same: object, other: object
) -> None:
    letter = DeadLetter(7, ended(1, "e1", reason="BAD").dead_letter, outcome, "")
    assert DeadLetterFilter(**{field: same}).matches(letter)
    assert not DeadLetterFilter(**{field: other}).matches(letter)


def test_empty_filter_matches_all(outcome: Outcome, ended: Callable[..., Completion]) -> None:
    assert OutcomeFilter().matches(outcome)
    assert DeadLetterFilter().matches(DeadLetter(7, ended(1, "e1", reason="BAD").dead_letter, outcome, ""))
