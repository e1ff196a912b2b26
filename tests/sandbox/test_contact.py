"""How Intercom writes a contact down."""

import pytest

from intercomd_daemon.sandbox.bodies import ContactBody
from intercomd_daemon.sandbox.contact import Contact, contact_json, contact_reference, write_attributes, write_fields


@pytest.mark.parametrize(
    ("version", "owner_id", "shown"),
    [((2, 16), "321", "321"), ((2, 15), "321", 321), ((2, 15), None, None), ((2, 7), "321", 321)],
)
def test_owner_is_an_integer_to_2_15_and_text_from_2_16(
    version: tuple[int, ...], owner_id: str | None, shown: object
) -> None:
    assert contact_json(Contact("1", "user", 1, owner_id=owner_id), "app", version)["owner_id"] == shown


def test_contact_shows_its_identity_its_fields_and_its_attributes() -> None:
    contact = Contact("1", "user", 5, external_id="7", email="a@example.com", avatar="https://example.com/a.png")
    contact.custom_attributes = {"plan": "pro"}
    shown = contact_json(contact, "app", (2, 16))
    assert {name: shown[name] for name in ("type", "id", "workspace_id", "external_id", "role", "email")} == {
        "type": "contact",
        "id": "1",
        "workspace_id": "app",
        "external_id": "7",
        "role": "user",
        "email": "a@example.com",
    }
    assert shown["avatar"] == {"type": "avatar", "image_url": "https://example.com/a.png"}
    assert shown["custom_attributes"] == {"plan": "pro"}
    assert shown["companies"]["url"] == "/contacts/1/companies"
    assert contact_reference(contact, archived=True) == {
        "type": "contact",
        "id": "1",
        "external_id": "7",
        "archived": True,
    }


def test_update_keeps_absent_fields_and_null_clears() -> None:
    contact = Contact("1", "user", 5, phone="1", name="Ada", owner_id="3")
    write_fields(contact, ContactBody(name=None, owner_id=4, signed_up_at=9))
    assert (contact.phone, contact.name, contact.owner_id, contact.signed_up_at) == ("1", None, "4", 9)
    write_fields(contact, ContactBody(owner_id=None))
    assert contact.owner_id is None


def test_attribute_without_value_is_removed() -> None:
    contact = Contact("1", "user", 5, custom_attributes={"a": 1, "b": 2})
    write_attributes(contact, {"a": None, "b": 3, "never": None})
    assert contact.custom_attributes == {"b": 3}
