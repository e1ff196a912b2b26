"""What callers may ask for, and what is wrong with the rest."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1 import outcome_pb2
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.operations.filters import dead_letter_filter, outcome_filter, trail_filter
from intercomd_daemon.spool.rows import DeadLetterFilter, OutcomeFilter
from intercomd_daemon.spool.trail import TrailFilter


def test_empty_filter_matches_all() -> None:
    assert outcome_filter(messages.OutcomeFilter()) == OutcomeFilter()
    assert dead_letter_filter(messages.DeadLetterFilter()) == DeadLetterFilter()


def test_outcome_filter_normalizes_identities_as_acceptance_does() -> None:
    asked = messages.OutcomeFilter(
        connection="eu",
        types=[outcome_pb2.OUTCOME_TYPE_DELIVERED],
        customer_id=" c-1 ",
        email=" Ann@Example.com ",
        envelope_id="order-1",
    )
    assert outcome_filter(asked) == OutcomeFilter(
        connection="eu", envelope_id="order-1", customer_id="c-1", email="ann@example.com", types=(1,)
    )


def test_trail_filter_normalizes_identities_as_acceptance_does() -> None:
    asked = messages.ListTrailRequest(connection="eu", customer_id=" c-1 ", email=" Ann@Example.com", envelope_id="e-1")
    assert trail_filter(asked) == TrailFilter("eu", "e-1", "c-1", "ann@example.com")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (messages.ListTrailRequest(), "customer_id"),
        (messages.ListTrailRequest(connection="eu"), "customer_id"),
        (messages.ListTrailRequest(customer_id="c-1", email=" "), "email"),
        (messages.ListTrailRequest(customer_id=" "), "customer_id"),
        (messages.ListTrailRequest(envelope_id="x" * 200), "envelope_id"),
    ],
)
def test_trail_filter_out_of_range_is_refused(asked: messages.ListTrailRequest, field: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        trail_filter(asked)
    assert refused.value.field == field
    assert field in str(refused.value)


def test_dead_letter_filter_has_numeric_ids_and_times_in_seconds() -> None:
    asked = messages.DeadLetterFilter(
        connection="eu",
        dead_letter_ids=["1", "9223372036854775807"],
        envelope_ids=["a", "b"],
        customer_id="c-1",
        email="ANN@example.com",
        reason="EXPIRED",
        accept_time_from=Timestamp(seconds=1_700_000_000, nanos=500_000_000),
        accept_time_to=Timestamp(seconds=1_700_000_001),
    )
    assert dead_letter_filter(asked) == DeadLetterFilter(
        connection="eu",
        dead_letter_ids=(1, 2**63 - 1),
        envelope_ids=("a", "b"),
        customer_id="c-1",
        email="ann@example.com",
        reason="EXPIRED",
        accept_time_from=1_700_000_000.5,
        accept_time_to=1_700_000_001.0,
    )


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (messages.DeadLetterFilter(customer_id="  "), "filter.customer_id"),
        (messages.DeadLetterFilter(email="\t"), "filter.email"),
        (messages.DeadLetterFilter(dead_letter_ids=["1", ""]), "filter.dead_letter_ids[1]"),
        (messages.DeadLetterFilter(dead_letter_ids=["-1"]), "filter.dead_letter_ids[0]"),
        (messages.DeadLetterFilter(dead_letter_ids=["1_0"]), "filter.dead_letter_ids[0]"),
        (messages.DeadLetterFilter(dead_letter_ids=["٣"]), "filter.dead_letter_ids[0]"),
        (messages.DeadLetterFilter(dead_letter_ids=["9223372036854775808"]), "filter.dead_letter_ids[0]"),
        (messages.DeadLetterFilter(dead_letter_ids=["9" * 5000]), "filter.dead_letter_ids[0]"),
        (messages.DeadLetterFilter(dead_letter_ids=["1"] * 1001), "filter.dead_letter_ids"),
        (messages.DeadLetterFilter(envelope_ids=["a"] * 1001), "filter.envelope_ids"),
        (messages.DeadLetterFilter(accept_time_from=Timestamp()), "filter.accept_time_from"),
        (messages.DeadLetterFilter(accept_time_to=Timestamp(seconds=-5)), "filter.accept_time_to"),
        (messages.DeadLetterFilter(accept_time_to=Timestamp(seconds=5, nanos=-1)), "filter.accept_time_to"),
        (
            messages.DeadLetterFilter(accept_time_from=Timestamp(seconds=5), accept_time_to=Timestamp(seconds=5)),
            "filter.accept_time_to",
        ),
    ],
)
@pytest.mark.fills("operations.filters.IDS_MAX")
def test_filter_that_can_match_nothing_is_refused_by_its_field(asked: messages.DeadLetterFilter, field: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        dead_letter_filter(asked)
    assert refused.value.field == field
    assert field in str(refused.value)


def test_blank_identity_is_refused_for_outcomes_too() -> None:
    with pytest.raises(RequestRefused):
        outcome_filter(messages.OutcomeFilter(email=" "))
