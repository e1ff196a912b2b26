"""The state of the sandbox's workspace, and the changes that tests make to it directly.

These changes are not checked, so tests can create states that calls cannot.
"""

from typing import Any

from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.contacts import Contacts
from intercomd_daemon.sandbox.data_attributes import Attributes
from intercomd_daemon.sandbox.events import Events
from intercomd_daemon.sandbox.rate import RateWindows
from intercomd_daemon.sandbox.recorded import Recorded
from intercomd_daemon.sandbox.settings import CustomAttribute, DataType, SandboxSettings


class Workspace:
    """Contacts, attributes, events, the budget and the access tokens of one workspace."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.access_tokens = {settings.access_token}
        self.contacts = Contacts(
            id_prefix=f"{settings.seed & 0xFFFFFFFF:08x}5a4db05a4d",
            shared_emails=settings.shared_emails,
            blocked_status=settings.blocked_status,
            recorded=settings.recorded,
        )
        self.attributes = Attributes(
            settings.attributes,
            custom_max=settings.custom_attributes_max,
            refusals_named=settings.attribute_refusals_named,
            lead_null=Recorded.LEAD_NULL in settings.recorded,
        )
        self.events = Events(events_max=settings.events_max, names_max=settings.event_names_max)
        self.rate = RateWindows(
            limit=settings.rate_limit,
            window_seconds=settings.rate_window_seconds,
            aligned=settings.rate_window_aligned,
            other_apps_calls=settings.other_apps_calls,
            recorded=settings.recorded,
        )
        self.searches = 0

    def add_contact(
        self,
        external_id: str | None = None,
        email: str | None = None,
        *,
        created_at: int = 1_700_000_000,
        **fields: Any,  # noqa: ANN401 - the fields of Contact
    ) -> Contact:
        """Adds a user, even with the email of another one. Search finds it at once."""
        email = email.lower() if email else None
        contact = Contact(self.contacts.new_id(), "user", created_at, external_id=external_id, email=email, **fields)
        return self.contacts.put(contact)

    def add_lead(self, email: str | None = None, *, created_at: int = 1_700_000_000) -> Contact:
        """Adds a lead; its external_id is generated, as Intercom does."""
        email = email.lower() if email else None
        return self.contacts.put(Contact(self.contacts.new_id(), "lead", created_at, email=email))

    def archive(self, contact_id: str) -> Contact:
        """Archives a contact: "soft delete"."""
        contact = self.contacts.get_in_any_state(contact_id)
        contact.state = "archived"
        return contact

    def unarchive(self, contact_id: str) -> Contact:
        """Restores a contact with all its data."""
        contact = self.contacts.get_in_any_state(contact_id)
        contact.state = "active"
        return contact

    def block(self, contact_id: str) -> Contact:
        """Blocks a contact: calls do not find it, and it cannot be created again."""
        contact = self.contacts.get_in_any_state(contact_id)
        contact.state = "blocked"
        return contact

    def delete(self, contact_id: str, now: float = 1_700_000_000) -> Contact:
        """Deletes a contact permanently, or marks it for deletion, as the settings say."""
        if Recorded.DELETED_MARKED not in self.settings.recorded:
            return self.contacts.delete(contact_id)
        contact = self.contacts.get_in_any_state(contact_id)
        contact.state = "deleted"
        contact.deleted_at = now
        return contact

    def merge(self, from_id: str, into_id: str, now: float = 1_700_000_000) -> Contact:
        """Merges one contact into another, regardless of their roles; the ids of the first then return 410."""
        return self.contacts.merge(from_id, into_id, now)

    def add_attribute(
        self,
        name: str,
        data_type: DataType = "string",
        *,
        archived: bool = False,
        api_writable: bool = True,
        options: tuple[str, ...] = (),
    ) -> CustomAttribute:
        """Add or replace a custom attribute of contacts, regardless of its name and of the limit."""
        return self.attributes.put(
            CustomAttribute(name, data_type, archived=archived, api_writable=api_writable, options=options)
        )

    def set_access_token(self, *access_tokens: str) -> None:
        """Sets the valid tokens; with none, every call gets a 401."""
        self.access_tokens = set(access_tokens)
