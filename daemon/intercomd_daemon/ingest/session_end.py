"""Converts the end of a session to the event that Intercom gets."""

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Finding, TrackEvent
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import SessionEnd
from intercomd_daemon.ingest.metadata import Metadata, compose_metadata, normalize_attributes
from intercomd_daemon.ingest.names import event_name
from intercomd_daemon.ingest.values import text

_PATH = "session_end_event"
_NANOSECONDS = 1_000_000_000
# google.protobuf.Duration: "from -315,576,000,000 to +315,576,000,000 inclusive".
_DURATION_SECONDS_MAX = 315_576_000_000


def session_end_skip(rules: ConnectionSettings) -> Finding | None:
    """Returns the reason to skip a valid session end; None if it is sent."""
    if rules.session_end_name:
        return None
    message = "session ends are off for the connection: set session_end_name"
    return Finding("EVENT_TYPE_OFF", _PATH, message)


def session_end_event(event: SessionEnd, created_at: int, rules: ConnectionSettings, found: Findings) -> TrackEvent:
    """Returns the event: its metadata is duration and id of the session, then the sender's attributes."""
    ours: Metadata = {}
    if event.duration_nanoseconds is not None:
        ours["session_duration_seconds"] = _seconds(event.duration_nanoseconds, found)
    if event.session_id:
        ours["session_id"] = text(event.session_id, f"{_PATH}.session_id", found)
    own, _ = normalize_attributes(event.attributes, f"{_PATH}.attributes", found, len(event.attributes), trim=False)
    return TrackEvent(
        event_name(rules.session_end_name), created_at, compose_metadata(ours, (own,), _PATH, rules, found)
    )


def _seconds(nanoseconds: int, found: Findings) -> int | float:
    if not 0 <= nanoseconds <= _DURATION_SECONDS_MAX * _NANOSECONDS:
        message = f"duration of {nanoseconds // _NANOSECONDS} s, limit 0 to {_DURATION_SECONDS_MAX} s: correct it"
        found.reject("INVALID_TIME", f"{_PATH}.duration", message)
    whole, rest = divmod(nanoseconds, _NANOSECONDS)
    return nanoseconds / _NANOSECONDS if rest else whole
