"""Who may exist beside whom: the table of intercom.md's section on contacts, row by row."""

import pytest
from msgspec import UNSET

from intercomd_daemon.sandbox.bodies import ContactBody
from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.contacts import Contacts
from intercomd_daemon.sandbox.http_messages import ErrorResponse
from intercomd_daemon.sandbox.recorded import NONE

NOW = 1_700_000_000.0


def book(*, shared_emails: bool = False) -> Contacts:
    return Contacts(id_prefix="0" * 18, shared_emails=shared_emails, blocked_status=409, recorded=NONE)


def create(contacts: Contacts, **fields: str | None) -> Contact:
    return contacts.create(ContactBody(**fields), {}, NOW)


def refusal_of_create(contacts: Contacts, **fields: str | None) -> tuple[int, str, str]:
    with pytest.raises(ErrorResponse) as caught:
        create(contacts, **fields)
    return caught.value.status, caught.value.code, caught.value.message


def test_id_has_24_hex_digits_and_is_unique() -> None:
    contacts = book()
    ids = {create(contacts, external_id=str(number)).id for number in range(300)}
    assert len(ids) == 300
    assert all(len(one) == 24 and int(one, 16) for one in ids)


@pytest.mark.parametrize(
    "again",
    [
        {"external_id": "7"},
        {"email": "ada@example.com"},
        {"email": "ADA@Example.com"},
        {"external_id": "8", "email": "ada@example.com"},
    ],
)
def test_create_names_the_existing_contact_in_its_message_only(again: dict[str, str]) -> None:
    contacts = book()
    ada = create(contacts, external_id="7", email="Ada@example.com")
    message = f"A contact matching those details already exists with id={ada.id}"
    assert refusal_of_create(contacts, **again) == (409, "conflict", message)
    assert ada.email == "ada@example.com"


def test_external_id_decides_before_the_email() -> None:
    contacts = book()
    by_id, by_email = create(contacts, external_id="7"), create(contacts, email="ada@example.com")
    assert by_id.id in refusal_of_create(contacts, external_id="7", email="ada@example.com")[2]
    assert by_email.id in refusal_of_create(contacts, external_id="8", email="ada@example.com")[2]


def test_archived_contact_is_named_as_such() -> None:
    contacts = book()
    ada = create(contacts, external_id="7", email="ada@example.com")
    ada.state = "archived"
    message = f"An archived contact matching those details already exists with id={ada.id}"
    assert refusal_of_create(contacts, external_id="7") == (409, "conflict", message)
    assert refusal_of_create(contacts, email="ada@example.com") == (409, "conflict", message)


def test_several_users_with_one_email_are_a_conflict_without_an_id() -> None:
    contacts = book()
    for external_id in ("7", "8"):
        contacts.put(Contact(contacts.new_id(), "user", 1, external_id=external_id, email="ada@example.com"))
    message = "Multiple existing users match this email address - must be more specific using user_id"
    assert refusal_of_create(contacts, email="ada@example.com") == (409, "conflict", message)
    assert refusal_of_create(contacts, external_id="9", email="ada@example.com") == (409, "conflict", message)


def test_blocked_contact_cannot_be_created_again() -> None:
    contacts = book()
    create(contacts, external_id="7").state = "blocked"
    message = "This user was blocked and cannot be recreated"
    assert refusal_of_create(contacts, external_id="7") == (409, "not_restorable", message)


def test_shared_email_with_a_new_external_id_creates_a_second_user() -> None:
    contacts = book(shared_emails=True)
    create(contacts, external_id="7", email="ada@example.com")
    second = create(contacts, external_id="8", email="ada@example.com")
    assert contacts.find_user("8") is second
    assert len(contacts.users_with_email("ADA@example.com")) == 2
    assert refusal_of_create(contacts, email="ada@example.com")[0] == 409


def test_create_requires_email_external_id_or_role() -> None:
    with pytest.raises(ErrorResponse, match="is required") as caught:
        create(book(), name="Ada")
    assert caught.value.status == 400
    assert caught.value.illegal


def test_lead_is_never_unique_and_its_external_id_is_replaced() -> None:
    contacts = book()
    create(contacts, external_id="7", email="ada@example.com")
    leads = [create(contacts, role="lead", external_id="7", email="ada@example.com") for _ in range(2)]
    assert leads[0].external_id not in {None, "7", leads[1].external_id}
    assert contacts.find_user("7").role == "user"
    with pytest.raises(ErrorResponse, match="User Not Found"):
        contacts.find_user(str(leads[0].external_id))
    assert len(contacts.users_with_email("ada@example.com")) == 1


def test_update_is_partial_and_null_clears() -> None:
    contacts = book()
    ada = create(contacts, external_id="7", email="ada@example.com", name="Ada", phone="1")
    contacts.update(ada.id, ContactBody(name=None, custom_attributes=UNSET), {"plan": "pro"}, NOW + 5)
    assert (ada.name, ada.phone, ada.email, ada.external_id) == (None, "1", "ada@example.com", "7")
    assert ada.custom_attributes == {"plan": "pro"}
    assert (ada.created_at, ada.updated_at) == (NOW, NOW + 5)
    contacts.update(ada.id, ContactBody(), {"plan": None}, NOW)
    assert ada.custom_attributes == {}


@pytest.mark.parametrize("change", [{"external_id": "8"}, {"email": "Bob@example.com"}])
def test_update_to_the_identity_of_another_contact_is_a_conflict(change: dict[str, str]) -> None:
    contacts = book()
    ada = create(contacts, external_id="7", email="ada@example.com")
    bob = create(contacts, external_id="8", email="bob@example.com")
    with pytest.raises(ErrorResponse, match=f"already exists with id={bob.id}"):
        contacts.update(ada.id, ContactBody(**change), {}, NOW)
    assert (ada.external_id, ada.email) == ("7", "ada@example.com")


def test_update_moves_a_contact_to_its_new_identity() -> None:
    contacts = book()
    ada = create(contacts, external_id="7", email="ada@example.com")
    contacts.update(ada.id, ContactBody(external_id="70", email=None), {}, NOW)
    assert contacts.find_user("70") is ada
    assert contacts.users_with_email("ada@example.com") == []
    assert create(contacts, external_id="7", email="ada@example.com") is not ada


def test_update_with_its_own_shared_email_is_not_a_conflict() -> None:
    contacts = book()
    for external_id in ("7", "8"):
        contacts.put(Contact(contacts.new_id(), "user", 1, external_id=external_id, email="ada@example.com"))
    ada = contacts.find_user("7")
    assert (
        contacts.update(ada.id, ContactBody(external_id="7", email="ada@example.com", name="Ada"), {}, NOW).name
        == "Ada"
    )


def test_lead_keeps_its_made_up_external_id_until_it_becomes_a_user() -> None:
    contacts = book()
    lead = create(contacts, role="lead")
    made_up = lead.external_id
    contacts.update(lead.id, ContactBody(external_id="7"), {}, NOW)
    assert lead.external_id == made_up
    contacts.update(lead.id, ContactBody(role="user", external_id="7"), {}, NOW)
    assert contacts.find_user("7") is lead


@pytest.mark.parametrize("state", ["archived", "blocked"])
def test_inactive_contact_is_not_found(state: str) -> None:
    contacts = book()
    ada = create(contacts, external_id="7", email="ada@example.com")
    ada.state = state  # type: ignore[assignment]  # the table's strings are the states
    for look in (lambda: contacts.get(ada.id), lambda: contacts.find_user("7")):
        with pytest.raises(ErrorResponse) as caught:
            look()
        assert (caught.value.status, caught.value.code, caught.value.message) == (404, "not_found", "User Not Found")
    assert contacts.users_with_email("ada@example.com") == []
    assert contacts.get_in_any_state(ada.id) is ada


def test_deleted_contact_is_gone_and_can_be_created_again() -> None:
    contacts = book()
    ada = contacts.delete(create(contacts, external_id="7", email="ada@example.com").id)
    with pytest.raises(ErrorResponse, match="User Not Found"):
        contacts.get_in_any_state(ada.id)
    assert create(contacts, external_id="7", email="ada@example.com").id != ada.id


def test_merged_contact_leads_to_the_other_by_id_and_external_id() -> None:
    contacts = book()
    old, new = create(contacts, external_id="old"), create(contacts, external_id="new")
    old.custom_attributes, new.custom_attributes = {"a": 1, "b": 1}, {"b": 2}
    assert contacts.merge(old.id, new.id, NOW).custom_attributes == {"a": 1, "b": 2}
    for look in (lambda: contacts.get(old.id), lambda: contacts.find_user("old")):
        with pytest.raises(ErrorResponse) as caught:
            look()
        assert (caught.value.status, caught.value.code) == (410, "contact_merged")
        assert caught.value.headers == (("Link", f'</contacts/{new.id}>; rel="canonical"'),)
    assert contacts.all() == [new]
