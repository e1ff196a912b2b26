"""What Intercom's description allows in a body; everything else is refused and counts as our mistake."""

import msgspec
import pytest

from intercomd_daemon.sandbox import bodies
from intercomd_daemon.sandbox.http_messages import ErrorResponse

DECODERS = {
    "contact": bodies.CONTACT,
    "event": bodies.EVENT,
    "attribute": bodies.ATTRIBUTE,
    "merge": bodies.MERGE,
    "search": bodies.SEARCH,
}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("contact", '{"external_id": 7}'),  # "a numeric customer id sent as a number instead of a string"
        ("contact", '{"user_id": "7"}'),
        ("contact", '{"id": "5ba682d23d7cf92bef87bfd4", "name": "Ada"}'),
        ("contact", '{"role": "visitor"}'),
        ("contact", '{"email": ["a@example.com"]}'),
        ("contact", '{"signed_up_at": 1700000000000}'),  # "Milliseconds sent as seconds"
        ("contact", '{"signed_up_at": 1700000000.5}'),
        ("contact", '{"last_seen_at": "2024-01-01"}'),
        ("contact", '{"unsubscribed_from_emails": "yes"}'),
        ("contact", '{"custom_attributes": []}'),
        ("contact", '{"custom_attributes": {"a": {"b": 1}}}'),  # "No objects, no arrays."
        ("contact", '{"custom_attributes": {"a": ["b"]}}'),
        ("contact", '{"custom_attributes": {"a": "' + "x" * 256 + '"}}'),
        ("contact", "[]"),
        ("contact", "not json"),
        ("contact", ""),
        ("event", '{"event_name": "a", "user_id": "7"}'),
        ("event", '{"event_name": "", "created_at": 1, "user_id": "7"}'),
        ("event", '{"event_name": "a", "created_at": 1700000000000, "user_id": "7"}'),
        ("event", '{"event_name": "a", "created_at": 1.0, "user_id": "7"}'),
        ("event", '{"event_name": "a", "created_at": -1, "user_id": "7"}'),
        ("event", '{"event_name": "a", "created_at": 1, "user_id": 7}'),
        ("event", '{"event_name": "a", "created_at": 1, "user_id": null}'),
        ("event", '{"event_name": "a", "created_at": 1, "user_id": "7", "external_id": "7"}'),
        ("event", '{"event_name": "a", "created_at": 1, "user_id": "7", "metadata": {"a": null}}'),
        ("event", '{"event_name": "a", "created_at": 1, "user_id": "7", "metadata": {"a": [1]}}'),
        ("event", '{"event_name": "a", "created_at": 1, "user_id": "7", "metadata": {"a": {"b": {}}}}'),
        ("event", '{"event_name": "a", "created_at": 1, "user_id": "7", "metadata": {"a": "' + "x" * 256 + '"}}'),
        ("attribute", '{"name": "plan", "model": "contact"}'),
        ("attribute", '{"name": "plan", "model": "contact", "data_type": "string", "api_writable": true}'),
        ("merge", '{"from": "1"}'),
        ("search", '{"query": {"field": "email", "operator": "=", "value": 1}, "page": 2}'),
        ("search", '{"query": {"field": "email", "operator": "=", "value": 1}, "pagination": {"per_page": 0}}'),
    ],
)
def test_undocumented_body_is_illegal(body: str, text: str) -> None:
    with pytest.raises(ErrorResponse) as caught:
        bodies.decode(DECODERS[body], text.encode())
    assert (caught.value.status, caught.value.code, caught.value.illegal) == (400, "parameter_invalid", True)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("contact", '{"role": "user", "external_id": "7", "email": "a@example.com", "phone": "1", "name": "Ada"}'),
        ("contact", '{"avatar": "https://example.com/a.png", "signed_up_at": 1, "last_seen_at": 2, "owner_id": "3"}'),
        ("contact", '{"email": null, "name": null, "custom_attributes": null, "unsubscribed_from_emails": null}'),
        ("contact", '{"custom_attributes": {"a": "' + "ä" * 255 + '", "b": 1, "c": 1.5, "d": true, "e": null}}'),
        ("event", '{"event_name": "a", "created_at": 1, "email": "a@example.com"}'),
        ("event", '{"event_name": "a", "created_at": 1, "id": "1", "metadata": {"a": {"url": "x", "value": "y"}}}'),
        ("attribute", '{"name": "a", "model": "contact", "data_type": "options", "options": [{"value": "1"}]}'),
        ("merge", '{"from": "1", "into": "2"}'),
        ("search", '{"query": {"operator": "AND", "value": []}, "pagination": {"per_page": 5}}'),
    ],
)
def test_documented_body_is_read(body: str, text: str) -> None:
    assert isinstance(bodies.decode(DECODERS[body], text.encode()), msgspec.Struct)


def test_metadata_keeps_the_order_of_the_sender() -> None:
    keys = [f"key-{number}" for number in (3, 1, 2, 9, 0)]
    sent = msgspec.json.encode({"event_name": "a", "created_at": 1, "id": "1", "metadata": dict.fromkeys(keys, 1)})
    assert list(bodies.decode(bodies.EVENT, sent).metadata) == keys
