"""The calls that an envelope would take, for an unknown contact."""

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.preview import preview
from intercomd_daemon.envelope import AcceptedEnvelope, TrackEvent, operations_of

SETTINGS = ConnectionSettings(name="default")
EVENT = TrackEvent("came", 1_795_000_000, b'{"n":1.50}')


def shown(customer_id: str, email: str, update: dict, *events: TrackEvent) -> list[tuple[str, str, str]]:
    envelope = AcceptedEnvelope(
        "e", customer_id, email, 1.0, operations_of(customer_id, email, update, events), (), "", b""
    )
    return [(r.call.method, r.path, r.body.decode()) for r in preview(envelope, SETTINGS, 1_795_000_100.0)]


def test_attributes_and_an_event_take_a_create_and_a_track_call() -> None:
    assert shown("u1", "", {"plan": "pro"}, EVENT) == [
        ("POST", "/contacts", '{"role":"user","external_id":"u1","custom_attributes":{"plan":"pro"}}'),
        ("POST", "/events", '{"event_name":"came","created_at":1795000000,"user_id":"u1","metadata":{"n":1.50}}'),
    ]


def test_event_alone_takes_one_call() -> None:
    assert shown("", "a@x.org", {}, TrackEvent("came", 1_795_000_000, b"")) == [
        ("POST", "/events", '{"event_name":"came","created_at":1795000000,"email":"a@x.org"}'),
    ]


def test_each_event_of_an_expansion_takes_a_call() -> None:
    assert len(shown("u1", "", {}, EVENT, EVENT, EVENT)) == 3


def test_event_that_is_too_old_takes_no_call() -> None:
    envelope = AcceptedEnvelope("e", "u1", "", 1.0, (EVENT,), (), "", b"")
    settings = ConnectionSettings(name="default", event_age_max_seconds=60.0)
    assert preview(envelope, settings, 1_795_000_100.0) == []
