"""The end of a session becomes one event."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.envelope import Finding, TrackEvent
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import SessionEnd
from intercomd_daemon.ingest.session_end import session_end_event, session_end_skip

Brief = Callable[[list[Finding]], list[tuple[str, str]]]


@pytest.mark.parametrize(
    ("event", "metadata"),
    [
        (
            SessionEnd("s-1", 90_000_000_000, [("page", "x")]),
            b'{"session_duration_seconds":90,"session_id":"s-1","page":"x"}',
        ),
        (SessionEnd("", 1_500_000_000, []), b'{"session_duration_seconds":1.5}'),
        (SessionEnd("", 0, []), b'{"session_duration_seconds":0}'),
        (SessionEnd("", None, []), b""),
    ],
)
def test_event_has_duration_and_id_then_the_senders_attributes(
    event: SessionEnd, metadata: bytes, rules: ConnectionSettings, found: Findings
) -> None:
    assert session_end_event(event, 1000, rules, found) == TrackEvent("Session End", 1000, metadata)
    assert not found.violations


@pytest.mark.parametrize("nanoseconds", [-1, 315_576_000_001 * 10**9])
def test_impossible_duration_is_rejected(
    nanoseconds: int, rules: ConnectionSettings, found: Findings, brief: Brief
) -> None:
    session_end_event(SessionEnd("", nanoseconds, []), 1000, rules, found)
    assert brief(found.violations) == [("INVALID_TIME", "session_end_event.duration")]


def test_duration_and_id_count_and_the_senders_attributes_are_trimmed(
    rules: ConnectionSettings, found: Findings, brief: Brief
) -> None:
    event = SessionEnd("x" * 300, 5, [("a", 1), ("session_id", 2)])
    session_end_event(event, 1000, replace(rules, limits=LimitSettings(event_attributes_max=2)), found)
    assert brief(found.adjustments) == [
        ("VALUE_TRUNCATED", "session_end_event.session_id"),
        ("ATTRIBUTE_DROPPED", "session_end_event"),
    ]


def test_name_is_the_connections_and_an_empty_one_skips_the_event(rules: ConnectionSettings, found: Findings) -> None:
    named = replace(rules, session_end_name=" mp.session_end")
    assert session_end_event(SessionEnd("", None, []), 1000, named, found).name == "mp-session_end"
    assert session_end_skip(named) is None
    skip = session_end_skip(replace(rules, session_end_name=""))
    assert skip is not None
    assert skip.reason == "EVENT_TYPE_OFF"
