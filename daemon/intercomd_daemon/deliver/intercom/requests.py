"""Writes the requests to Intercom: method, path and JSON body. No other module does."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from intercomd_daemon.deliver.intercom.messages import Call, Request
from intercomd_daemon.envelope import CONTACT_FIELDS, Scalar, TrackEvent

_encode = msgspec.json.Encoder().encode

ME = Request(Call.READ_ME, "/me")
ATTRIBUTES = Request(Call.LIST_ATTRIBUTES, "/data_attributes?model=contact&include_archived=true")


def create_contact(customer_id: str, email: str, fields: Mapping[str, Scalar]) -> Request:
    """`POST /contacts`: creates a contact, with the identities that are not empty."""
    body = {"role": "user"}
    if customer_id:
        body["external_id"] = customer_id
    if email:
        body["email"] = email
    return Request(Call.CREATE_CONTACT, "/contacts", _contact(body, fields))


def update_contact(contact_id: str, external_id: str, fields: Mapping[str, Scalar]) -> Request:
    """`PUT /contacts/{id}`: changes these fields, the email among them, and `external_id` unless it is empty."""
    body = {"external_id": external_id} if external_id else {}
    return Request(Call.UPDATE_CONTACT, _path(contact_id), _contact(body, fields), contact_id)


def read_contact(contact_id: str) -> Request:
    """`GET /contacts/{id}`."""
    return Request(Call.READ_CONTACT, _path(contact_id), contact_id=contact_id)


def unarchive_contact(contact_id: str) -> Request:
    """`POST /contacts/{id}/unarchive`, which restores all data of the contact."""
    return Request(Call.UNARCHIVE_CONTACT, f"{_path(contact_id)}/unarchive", b"{}", contact_id)


def track_event(event: TrackEvent, identity: tuple[str, str]) -> Request:
    """`POST /events`; the identity is one of ("user_id" | "id" | "email", value)."""
    key, value = identity
    body: dict[str, object] = {"event_name": event.name, "created_at": event.created_at, key: value}
    if event.metadata:
        body["metadata"] = msgspec.Raw(event.metadata)
    return Request(Call.TRACK_EVENT, "/events", _encode(body))


def create_attribute(name: str, data_type: str) -> Request:
    """`POST /data_attributes {name, model:"contact", data_type}`."""
    body = _encode({"name": name, "model": "contact", "data_type": data_type})
    return Request(Call.CREATE_ATTRIBUTE, "/data_attributes", body)


def _path(contact_id: str) -> str:
    return f"/contacts/{quote(contact_id, safe='')}"


def _contact(identity: Mapping[str, str], fields: Mapping[str, Scalar]) -> bytes:
    body: dict[str, object] = dict(identity)
    custom: dict[str, Scalar] = {}
    for name, value in fields.items():
        if name == "email" or name in CONTACT_FIELDS:
            body[name] = value
        else:
            custom[name] = value
    if custom:
        body["custom_attributes"] = custom
    return _encode(body)
