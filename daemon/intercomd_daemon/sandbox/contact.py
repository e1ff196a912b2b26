"""A contact of the workspace, and its JSON in responses."""

from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import UNSET

from intercomd_daemon.sandbox.bodies import ContactBody

OWNER_ID_TEXT_FROM = (2, 16)
"""`owner_id` is an "integer to 2.15, string from 2.16"."""
PLAIN_FIELDS = ("phone", "name", "avatar", "signed_up_at", "last_seen_at", "unsubscribed_from_emails")
LISTS = ("tags", "notes", "companies", "opted_out_subscription_types", "opted_in_subscription_types")

Version = tuple[int, ...]
AttributeValue = str | int | float | bool


@dataclass(slots=True)
class Contact:
    """A contact. `owner_id` is stored as text; `searchable_at` and `searches_until` simulate the lag of the search."""

    id: str
    role: Literal["user", "lead"]
    created_at: int
    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    avatar: str | None = None
    signed_up_at: int | None = None
    last_seen_at: int | None = None
    owner_id: str | None = None
    unsubscribed_from_emails: bool | None = None
    custom_attributes: dict[str, AttributeValue] = field(default_factory=dict)
    state: Literal["active", "archived", "blocked", "deleted"] = "active"
    updated_at: int = 0
    deleted_at: float = 0.0
    searchable_at: float = 0.0
    searches_until: int = 0


def write_fields(contact: Contact, body: ContactBody) -> None:
    """Writes the fields that do not depend on other contacts; null clears, absent fields stay."""
    for name in PLAIN_FIELDS:
        value = getattr(body, name)
        if value is not UNSET:
            setattr(contact, name, value)
    if body.owner_id is not UNSET:
        contact.owner_id = None if body.owner_id is None else str(body.owner_id)


def write_attributes(contact: Contact, values: dict[str, AttributeValue | None]) -> None:
    """Writes checked attribute values; None clears."""
    for name, value in values.items():
        if value is None:
            contact.custom_attributes.pop(name, None)
        else:
            contact.custom_attributes[name] = value


def contact_json(contact: Contact, workspace_id: str, version: Version) -> dict[str, Any]:
    """Returns a contact as the responses to create, update, get and search contain it."""
    return {
        "type": "contact",
        "id": contact.id,
        "workspace_id": workspace_id,
        "external_id": contact.external_id,
        "role": contact.role,
        "email": contact.email,
        "phone": contact.phone,
        "name": contact.name,
        "avatar": {"type": "avatar", "image_url": contact.avatar} if contact.avatar else None,
        "owner_id": _owner_id(contact.owner_id, version),
        "has_hard_bounced": False,
        "marked_email_as_spam": False,
        "unsubscribed_from_emails": bool(contact.unsubscribed_from_emails),
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "signed_up_at": contact.signed_up_at,
        "last_seen_at": contact.last_seen_at,
        "custom_attributes": contact.custom_attributes,
        **{name: _empty_list(contact.id, name) for name in LISTS},
    }


def contact_reference(contact: Contact, **more: bool) -> dict[str, Any]:
    """Returns the short form in the responses to archive, unarchive and delete."""
    return {"type": "contact", "id": contact.id, "external_id": contact.external_id, **more}


def _owner_id(owner_id: str | None, version: Version) -> str | int | None:
    if owner_id is not None and version < OWNER_ID_TEXT_FROM and owner_id.isdecimal():
        return int(owner_id)
    return owner_id


def _empty_list(contact_id: str, name: str) -> dict[str, Any]:
    path = "subscriptions" if name.endswith("types") else name
    return {"type": "list", "data": [], "url": f"/contacts/{contact_id}/{path}", "total_count": 0, "has_more": False}
