"""Envelopes that can never be delivered are rejected with a message of their own."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.validate import (
    check_envelope_id,
    created_at_of,
    event_name_of,
    identity_of,
    traceparent_of,
)

Brief = Callable[[list[Finding]], list[tuple[str, str]]]
NOW = 1_760_000_000
PLACEHOLDERS = ConnectionSettings(name="default").placeholder_ids


@pytest.mark.parametrize(
    ("given", "identity"),
    [
        (("u-1", ""), ("u-1", "")),
        ((" u-1\n", " Ada@Example.COM "), ("u-1", "ada@example.com")),
        (("", "ada@example.com"), ("", "ada@example.com")),
        (("  ", "ä@bücher.example"), ("", "ä@bücher.example")),
        (("x" * 255, ""), ("x" * 255, "")),
        (("", "x" * 242 + "@example.com"), ("", "x" * 242 + "@example.com")),
        (("u-1", "   "), ("u-1", "")),
        (("", "a@b"), ("", "a@b")),
        (("nullable", ""), ("nullable", "")),
        (("0", ""), ("0", "")),
        (("truely", ""), ("truely", "")),
        (("u\t1", ""), ("u\t1", "")),
        (("u\r\n1", ""), ("u\r\n1", "")),
    ],
)
def test_identity_is_trimmed(given: tuple[str, str], identity: tuple[str, str], found: Findings) -> None:
    assert identity_of(*given, PLACEHOLDERS, found) == identity
    assert not found.violations


@pytest.mark.parametrize(
    ("given", "violations"),
    [
        (("", ""), [("IDENTITY_REQUIRED", "identity")]),
        ((" \t", "\u2003"), [("IDENTITY_REQUIRED", "identity")]),
        (("x" * 256, ""), [("IDENTITY_TOO_LONG", "identity.customer_id")]),
        (("", "x" * 243 + "@example.com"), [("IDENTITY_TOO_LONG", "identity.email")]),
        *(
            ((customer_id, "ada@example.com"), [("PLACEHOLDER_ID", "identity.customer_id")])
            for customer_id in (
                *("null", "NULL", "undefined", "NaN", "None", " nil ", "(null)", "[object Object]", "TRUE", "false\n"),
            )
        ),
        *(
            ((customer_id, ""), [("INVALID_CUSTOMER_ID", "identity.customer_id")])
            for customer_id in ("u\0", "u\x1b[2J", "\x1fu", "u\x7f1", "u\x9f1", "u\b1")
        ),
        (("u-1", "ada"), [("INVALID_EMAIL", "identity.email")]),
        (("u-1", "a@b@c"), [("INVALID_EMAIL", "identity.email")]),
        (("u-1", "@b"), [("INVALID_EMAIL", "identity.email")]),
        (("u-1", "a@"), [("INVALID_EMAIL", "identity.email")]),
        (("u-1", "a b@c"), [("INVALID_EMAIL", "identity.email")]),
        (("u-1", "a@b\x00c"), [("INVALID_EMAIL", "identity.email")]),
        (("u-1", "a\u202e@b"), [("INVALID_EMAIL", "identity.email")]),
        (("u-1", "a\u00a0@b"), [("INVALID_EMAIL", "identity.email")]),
        (
            ("x" * 256, "ada"),
            [("IDENTITY_TOO_LONG", "identity.customer_id"), ("INVALID_EMAIL", "identity.email")],
        ),
    ],
)
def test_invalid_identity_is_rejected(
    given: tuple[str, str], violations: list[tuple[str, str]], found: Findings, brief: Brief
) -> None:
    identity_of(*given, PLACEHOLDERS, found)
    assert brief(found.violations) == violations


@pytest.mark.parametrize(
    ("placeholder_ids", "customer_id", "rejected"),
    [
        ((), "null", False),
        (("anonymous",), "Anonymous", True),
        (("anonymous", "guest"), " GUEST", True),
        (("anonymous",), "null", False),
    ],
)
def test_placeholder_ids_are_those_of_the_connection(
    placeholder_ids: tuple[str, ...], customer_id: str, rejected: bool, found: Findings, brief: Brief
) -> None:
    identity_of(customer_id, "", placeholder_ids, found)
    assert brief(found.violations) == ([("PLACEHOLDER_ID", "identity.customer_id")] if rejected else [])


def test_identity_messages_name_value_limit_and_fix(found: Findings) -> None:
    for identity in (("x" * 256, ""), ("", "ada"), ("Null", ""), ("u\0", ""), ("", "")):
        identity_of(*identity, PLACEHOLDERS, found)
    assert [finding.message for finding in found.violations] == [
        f'customer id of 256 characters, limit 255: shorten "{"x" * 60}…"',
        'invalid email "ada": expected local@domain without whitespace',
        'customer id "Null" is a placeholder for a missing id (placeholder_ids): set the user\'s id, or only an email',
        'invalid customer id "u\\u0000": expected text without control characters',
        "the identity has neither a customer id nor an email: set one of them",
    ]


def test_created_at_of_reports_times_as_rfc_3339(found: Findings) -> None:
    created_at_of(NOW + 3600, NOW, found)
    assert found.adjustments[0].message == (
        "event_time 2025-10-09T09:53:20Z is more than 60 s in the future: became the time of acceptance, "
        "2025-10-09T08:53:20Z; check the sender's clock"
    )


@given(st.text(max_size=300), st.text(max_size=300) | st.emails())
def test_valid_identity_is_within_intercoms_limits(customer_id: str, email: str) -> None:
    found = Findings()
    identity = identity_of(customer_id, email, PLACEHOLDERS, found)
    if not found.violations:
        assert any(identity)
        assert len(identity[0]) <= 255
        assert len(identity[1]) <= 254
        assert identity_of(*identity, PLACEHOLDERS, found) == identity


@pytest.mark.parametrize(
    ("envelope_id", "long"), [("x" * 128, False), ("x" * 129, True), ("ü" * 64, False), ("ü" * 65, True)]
)
def test_envelope_id_is_limited_in_bytes(envelope_id: str, long: bool, found: Findings, brief: Brief) -> None:
    check_envelope_id(envelope_id, found)
    assert brief(found.violations) == ([("ENVELOPE_ID_TOO_LONG", "envelope_id")] if long else [])


@pytest.mark.parametrize(
    ("event_time", "created_at", "violations", "adjustments"),
    [
        (None, NOW, [], []),
        (NOW - 5, NOW - 5, [], []),
        (946_684_800, 946_684_800, [], []),
        (NOW + 60, NOW + 60, [], []),
        (NOW + 61, NOW, [], [("TIME_CLAMPED", "event_time")]),
        (946_684_799, NOW, [("INVALID_TIME", "event_time")], []),
        (0, NOW, [("INVALID_TIME", "event_time")], []),
        (-(2**63), NOW, [("INVALID_TIME", "event_time")], []),
        (2**63 - 1, NOW, [("INVALID_TIME", "event_time")], []),
        (253_402_300_799, NOW, [], [("TIME_CLAMPED", "event_time")]),
        (253_402_300_800, NOW, [("INVALID_TIME", "event_time")], []),
    ],
)
def test_event_time_is_clamped_in_the_future_and_rejected_before_2000(
    event_time: int | None,
    created_at: int,
    violations: list[tuple[str, str]],
    adjustments: list[tuple[str, str]],
    found: Findings,
    brief: Brief,
) -> None:
    assert created_at_of(event_time, NOW, found) == created_at
    assert (brief(found.violations), brief(found.adjustments)) == (violations, adjustments)


@pytest.mark.parametrize(
    ("given", "name", "violations", "adjustments"),
    [
        ("Order placed", "Order placed", [], []),
        ("x" * 255, "x" * 255, [], []),
        ("order.$placed ", "order--placed", [], [("EVENT_NAME_CHANGED", "custom_event.name")]),
        (" ", "", [("EVENT_NAME_REQUIRED", "custom_event.name")], []),
        ("x" * 256, "x" * 256, [("EVENT_NAME_TOO_LONG", "custom_event.name")], []),
        (" " * 99 + "x" * 255, "x" * 255, [], [("EVENT_NAME_CHANGED", "custom_event.name")]),
    ],
)
def test_event_name_is_required_and_limited(
    given: str,
    name: str,
    violations: list[tuple[str, str]],
    adjustments: list[tuple[str, str]],
    found: Findings,
    brief: Brief,
) -> None:
    assert event_name_of(given, "custom_event.name", found) == name
    assert (brief(found.violations), brief(found.adjustments)) == (violations, adjustments)


GOOD_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("given", ["", GOOD_TRACE])
def test_valid_traceparent_is_kept(given: str, found: Findings) -> None:
    assert traceparent_of(given, found) == given
    assert not found.adjustments


@pytest.mark.parametrize(
    "given",
    [
        *("x", GOOD_TRACE.upper(), GOOD_TRACE + "0", GOOD_TRACE + "\n", "ff" + GOOD_TRACE[2:]),
        *(f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01"),
    ],
)
def test_invalid_traceparent_is_dropped(given: str, found: Findings, brief: Brief) -> None:
    assert traceparent_of(given, found) == ""
    assert brief(found.adjustments) == [("FIELD_IGNORED", "traceparent")]
