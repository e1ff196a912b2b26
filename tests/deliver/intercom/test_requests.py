"""Nouns as requests: method, path and the exact JSON."""

import pytest

from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.messages import Call, Request
from intercomd_daemon.envelope import TrackEvent


@pytest.mark.parametrize(
    ("request_", "method", "path", "body"),
    [
        (requests.ME, "GET", "/me", b""),
        (requests.ATTRIBUTES, "GET", "/data_attributes?model=contact&include_archived=true", b""),
        (
            requests.create_contact("u1", "ada@x.io", {"name": "Ada", "plan": "gold", "seats": 3, "vip": True}),
            "POST",
            "/contacts",
            (
                b'{"role":"user","external_id":"u1","email":"ada@x.io","name":"Ada",'
                b'"custom_attributes":{"plan":"gold","seats":3,"vip":true}}'
            ),
        ),
        (requests.create_contact("u1", "", {}), "POST", "/contacts", b'{"role":"user","external_id":"u1"}'),
        (requests.create_contact("", "a@x.io", {}), "POST", "/contacts", b'{"role":"user","email":"a@x.io"}'),
        (
            requests.update_contact("c1", "", {"email": "a@x.io", "phone": None, "plan": None}),
            "PUT",
            "/contacts/c1",
            b'{"email":"a@x.io","phone":null,"custom_attributes":{"plan":null}}',
        ),
        (requests.update_contact("c/1?", "u1", {}), "PUT", "/contacts/c%2F1%3F", b'{"external_id":"u1"}'),
        (requests.read_contact("c1"), "GET", "/contacts/c1", b""),
        (requests.read_contact("../me"), "GET", "/contacts/..%2Fme", b""),
        (requests.unarchive_contact("c1"), "POST", "/contacts/c1/unarchive", b"{}"),
        (
            requests.track_event(TrackEvent("Größe", 1_795_000_000, b""), ("user_id", "u1")),
            "POST",
            "/events",
            '{"event_name":"Größe","created_at":1795000000,"user_id":"u1"}'.encode(),
        ),
        (
            # No digit of what was accepted is lost, and the order stays.
            requests.track_event(
                TrackEvent("Bought", 1, b'{"b":19.990,"a":{"amount":1999,"currency":"USD"}}'), ("id", "c1")
            ),
            "POST",
            "/events",
            (
                b'{"event_name":"Bought","created_at":1,"id":"c1",'
                b'"metadata":{"b":19.990,"a":{"amount":1999,"currency":"USD"}}}'
            ),
        ),
        (
            requests.create_attribute("plan", "string"),
            "POST",
            "/data_attributes",
            b'{"name":"plan","model":"contact","data_type":"string"}',
        ),
    ],
)
def test_request_has_method_path_and_body(request_: Request, method: str, path: str, body: bytes) -> None:
    assert (request_.call.method, request_.path, request_.body) == (method, path, body)


@pytest.mark.parametrize(
    ("made", "contact_id"),
    [
        (requests.update_contact("c1", "u1", {}), "c1"),
        (requests.read_contact("../me"), "../me"),
        (requests.unarchive_contact("c1"), "c1"),
        (requests.create_contact("u1", "", {}), ""),
        (requests.track_event(TrackEvent("Bought", 1, b""), ("id", "c1")), ""),
    ],
)
def test_request_names_the_contact_of_its_path(made: Request, contact_id: str) -> None:
    assert made.contact_id == contact_id


def test_every_call_can_be_written() -> None:
    written = {
        requests.ME.call,
        requests.ATTRIBUTES.call,
        requests.create_contact("u1", "", {}).call,
        requests.update_contact("c1", "", {}).call,
        requests.read_contact("c1").call,
        requests.unarchive_contact("c1").call,
        requests.track_event(TrackEvent("", 0, b""), ("id", "c1")).call,
        requests.create_attribute("plan", "string").call,
    }
    assert written == set(Call)
