"""Values of Intercom's contact fields are converted to the fields' types, or dropped."""

from collections.abc import Callable

import pytest

from intercomd_daemon.envelope import FIRST_NAME, Finding, Scalar
from intercomd_daemon.ingest.contact_update import field_value
from intercomd_daemon.ingest.decision import Findings

Brief = Callable[[list[Finding]], list[tuple[str, str]]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Ada Lovelace"),
        ("name", ""),
        (FIRST_NAME, "Ada"),
        ("phone", "+44 20 7946 0000"),
        ("avatar", "https://example.com/ada.png"),
        ("signed_up_at", 1_700_000_000),
        ("last_seen_at", 0),
        ("owner_id", 42),
        ("unsubscribed_from_emails", True),
    ],
)
def test_value_of_the_fields_type_is_unchanged(name: str, value: Scalar, found: Findings) -> None:
    assert field_value(name, value, "user_attributes[0]", found) == value
    assert not found.adjustments


@pytest.mark.parametrize(
    ("name", "value", "final"),
    [
        ("name", 7, "7"),
        ("phone", 44207946, "44207946"),
        ("phone", 1.5, "1.5"),
        ("signed_up_at", 1_700_000_000_123, 1_700_000_000),
        ("signed_up_at", 1_700_000_000.9, 1_700_000_000),
        ("signed_up_at", 1_700_000_000_123_456, 1_700_000_000),
        ("signed_up_at", -1_700_000_000_000, -1_700_000_000),
        ("signed_up_at", "2023-11-14T22:13:20Z", 1_700_000_000),
        ("signed_up_at", "1700000000.5", 1_700_000_000),
        ("last_seen_at", " 1700000000 ", 1_700_000_000),
        ("owner_id", "42", 42),
        ("owner_id", 42.0, 42),
        ("unsubscribed_from_emails", 1, True),
        ("unsubscribed_from_emails", 0.0, False),
        ("unsubscribed_from_emails", " TRUE ", True),
        ("unsubscribed_from_emails", "false", False),
        ("unsubscribed_from_emails", "1", True),
    ],
)
def test_value_of_another_type_is_converted_and_reported(
    name: str, value: Scalar, final: Scalar, found: Findings, brief: Brief
) -> None:
    result = field_value(name, value, "user_attributes[0]", found)
    assert (result, type(result)) == (final, type(final))
    assert brief(found.adjustments) == [("VALUE_CONVERTED", "user_attributes[0].value")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", True),
        (FIRST_NAME, False),
        ("avatar", "ada.png"),
        ("avatar", 5),
        ("signed_up_at", "yesterday"),
        ("signed_up_at", "²"),
        ("signed_up_at", "9" * 5000),
        ("signed_up_at", True),
        ("signed_up_at", 2**63 - 1),
        ("signed_up_at", -(2**63)),
        ("last_seen_at", 1e300),
        ("owner_id", 1.5),
        ("owner_id", -1),
        ("owner_id", "ada"),
        ("owner_id", True),
        ("owner_id", 1e30),
        ("unsubscribed_from_emails", "perhaps"),
        ("unsubscribed_from_emails", 2),
    ],
)
def test_value_without_a_conversion_is_dropped_and_reported(
    name: str, value: Scalar, found: Findings, brief: Brief
) -> None:
    assert field_value(name, value, "user_attributes[0]", found) is None
    assert brief(found.adjustments) == [("ATTRIBUTE_DROPPED", "user_attributes[0].value")]
    assert not found.violations
