"""All contacts of the workspace, with the rules for unique identities, and for merged and deleted contacts.

Expects well-formed bodies and checked attribute values.
"""

from collections.abc import Set as AbstractSet

from msgspec import UNSET, UnsetType

from intercomd_daemon.sandbox.bodies import ContactBody
from intercomd_daemon.sandbox.contact import AttributeValue, Contact, write_attributes, write_fields
from intercomd_daemon.sandbox.http_messages import ErrorResponse, illegal
from intercomd_daemon.sandbox.recorded import ALL, Recorded


def user_not_found() -> ErrorResponse:
    """Returns the refusal for an unknown contact: "404 `not_found` `User Not Found`"."""
    return ErrorResponse(404, "not_found", "User Not Found")


class Contacts:
    """The contacts, indexed by the two identities of a user: external_id and email."""

    def __init__(
        self, *, id_prefix: str, shared_emails: bool, blocked_status: int, recorded: AbstractSet[Recorded] = ALL
    ) -> None:
        """`id_prefix`: the first 18 of the 24 hex digits of every contact id."""
        self._id_prefix = id_prefix
        self._shared_emails = shared_emails
        self._blocked_status = blocked_status
        self._recorded = recorded
        self._made = 0
        self._by_id: dict[str, Contact] = {}
        self._users_by_external_id: dict[str, Contact] = {}
        self._users_by_email: dict[str, dict[str, Contact]] = {}
        self._merged_ids: dict[str, str] = {}
        self._merged_external_ids: dict[str, str] = {}

    def all(self) -> list[Contact]:
        """Returns every contact that is not deleted or merged, archived and blocked ones too, oldest first."""
        return list(self._by_id.values())

    def create(self, body: ContactBody, attributes: dict[str, AttributeValue | None], now: float) -> Contact:
        """Creates strictly: "never updates"; 409 where the contact exists. A lead is never unique.

        Raises:
            Refused: 409 `conflict` or `not_restorable`; illegal without email, external_id and role.
        """
        email = _lower(body.email)
        external_id = body.external_id or None
        if not (email or external_id or body.role):
            message = "One of email, external_id and role is required"
            raise illegal(message, code="parameter_not_found")
        role = body.role or "user"
        if role == "user":
            self._refuse_conflict(external_id, email, None, shared_emails=self._shared_emails)
        contact = self.put(Contact(self.new_id(), role, int(now), external_id=external_id, email=email))
        write_fields(contact, body)
        write_attributes(contact, attributes)
        return contact

    def put(self, contact: Contact) -> Contact:
        """Adds a contact without any check; a lead's external_id is replaced."""
        if contact.role == "lead":
            # "A lead's `external_id` is ignored and replaced".
            contact.external_id = f"{contact.id[:8]}-0000-4000-8000-{contact.id[12:]}"
        contact.updated_at = contact.updated_at or contact.created_at
        self._by_id[contact.id] = contact
        self._index(contact)
        return contact

    def new_id(self) -> str:
        """Returns the next id, 24 hex digits."""
        self._made += 1
        return f"{self._id_prefix}{self._made:06x}"

    def update(
        self, contact_id: str, body: ContactBody, attributes: dict[str, AttributeValue | None], now: float
    ) -> Contact:
        """Updates in part, by Intercom's own id.

        Raises:
            Refused: 404 or 410 if no contact that can be updated has the id; 409 when "the new email or external_id
                belongs to another contact"; 400 for a user that is to become a lead.
        """
        contact = self.get_to_update(contact_id)
        if contact.role == "user" and body.role == "lead" and Recorded.USER_STAYS_USER in self._recorded:
            raise ErrorResponse(400, "client_error", "Contact with user role can't be converted to a lead")
        email = contact.email if body.email is UNSET else _lower(body.email)
        external_id = contact.external_id
        if body.external_id is not UNSET and (contact.role == "user" or body.role == "user"):
            stays = contact.role == "user" and Recorded.EXTERNAL_ID_STAYS in self._recorded
            external_id = body.external_id or (external_id if stays else None)
        role = body.role or contact.role
        if role == "user":
            joins = contact.role != "user"
            self._refuse_conflict(
                external_id if joins or external_id != contact.external_id else None,
                email if joins or email != contact.email else None,
                contact,
                shared_emails=self._shared_emails or Recorded.SHARED_EMAIL in self._recorded,
            )
        self._unindex(contact)
        contact.role, contact.email, contact.external_id = role, email, external_id
        self._index(contact)
        if body.email is None and Recorded.EMAIL_EMPTIED in self._recorded:
            contact.email = ""
        write_fields(contact, body)
        write_attributes(contact, attributes)
        contact.updated_at = int(now)
        return contact

    def get(self, contact_id: str) -> Contact:
        """Returns an active contact by its id.

        Raises:
            Refused: 410 `contact_merged` for one that was merged, 404 for every other that is not active.
        """
        contact = self._by_id.get(contact_id)
        if contact is not None and contact.state == "active":
            return contact
        raise self._gone(self._merged_ids.get(contact_id))

    def get_to_update(self, contact_id: str) -> Contact:
        """Returns a contact that can be updated: active, or archived as recorded; refuses like `get`."""
        contact = self._by_id.get(contact_id)
        if contact is not None and contact.state == "archived" and Recorded.ARCHIVED_UPDATE in self._recorded:
            return contact
        return self.get(contact_id)

    def get_in_any_state(self, contact_id: str) -> Contact:
        """Returns a contact by its id, archived or blocked ones too; refuses like `get`."""
        contact = self._by_id.get(contact_id)
        if contact is None:
            raise self._gone(self._merged_ids.get(contact_id))
        return contact

    def find_user(self, external_id: str) -> Contact:
        """Returns the active user with that external_id: "users only, not leads; 404 unknown; 410 `contact_merged`"."""
        contact = self._users_by_external_id.get(external_id)
        if contact is not None and contact.state == "active":
            return contact
        raise self._gone(self._merged_external_ids.get(external_id))

    def users_with_email(self, email: str) -> list[Contact]:
        """Returns every active user with that email; "Emails are lower-cased by Intercom"."""
        found = self._users_by_email.get(email.lower(), {})
        return [contact for contact in found.values() if contact.state == "active"]

    def delete(self, contact_id: str) -> Contact:
        """Deletes a contact permanently, "by Intercom's id"."""
        contact = self.get_in_any_state(contact_id)
        del self._by_id[contact_id]
        self._unindex(contact)
        return contact

    def merge(self, from_id: str, into_id: str, now: float) -> Contact:
        """Merges one contact into another, regardless of their roles; the old ids then refer to the other."""
        into = self.get(into_id)
        source = self.delete(from_id)
        self._merged_ids[source.id] = into.id
        if source.external_id is not None:
            self._merged_external_ids[source.external_id] = into.id
        into.custom_attributes = source.custom_attributes | into.custom_attributes
        into.updated_at = int(now)
        return into

    def _index(self, contact: Contact) -> None:
        if contact.role == "user" and contact.external_id is not None:
            self._users_by_external_id[contact.external_id] = contact
        if contact.role == "user" and contact.email:
            self._users_by_email.setdefault(contact.email, {})[contact.id] = contact

    def _unindex(self, contact: Contact) -> None:
        if contact.external_id is not None and self._users_by_external_id.get(contact.external_id) is contact:
            del self._users_by_external_id[contact.external_id]
        if contact.email:
            holders = self._users_by_email.get(contact.email, {})
            holders.pop(contact.id, None)
            if not holders:
                self._users_by_email.pop(contact.email, None)

    def _gone(self, into_id: str | None) -> ErrorResponse:
        if into_id is None:
            return user_not_found()
        # "410 `contact_merged` from 2.16 with `Link: </contacts/{id}>; rel="canonical"`".
        link = ("Link", f'</contacts/{into_id}>; rel="canonical"')
        return ErrorResponse(410, "contact_merged", "The contact has been merged into another contact", headers=(link,))

    def _refuse_conflict(
        self, external_id: str | None, email: str | None, own: Contact | None, *, shared_emails: bool
    ) -> None:
        holder = self._users_by_external_id.get(external_id) if external_id is not None else None
        if holder is not None and self._is_rival(holder, own):
            raise self._conflict([holder])
        sharers = self._users_by_email.get(email, {}) if email else {}
        rivals = [contact for contact in sharers.values() if self._is_rival(contact, own)]
        identified = external_id or (own.external_id if own is not None else None)
        if shared_emails and identified is not None:
            # "Several users may share an email if their external_ids differ".
            rivals = [contact for contact in rivals if contact.external_id is None]
        if rivals:
            raise self._conflict(rivals)

    def _is_rival(self, holder: Contact, own: Contact | None) -> bool:
        """Returns whether the holder of an identity keeps it from `own`, the contact to update, or a new one."""
        if own is not None and holder.state in {"archived", "deleted"}:
            # Recorded: "`PUT` of external id and email of an archived user: 200".
            return holder is not own and Recorded.ARCHIVED_UPDATE not in self._recorded
        return holder is not own

    def _conflict(self, rivals: list[Contact]) -> ErrorResponse:
        active = [contact for contact in rivals if contact.state == "active"]
        if len(active) > 1:
            message = "Multiple existing users match this email address - must be more specific using user_id"
            return ErrorResponse(409, "conflict", message)
        if active:
            message = f"A contact matching those details already exists with id={active[0].id}"
            return ErrorResponse(409, "conflict", message)
        if rivals[0].state == "blocked":
            return ErrorResponse(
                self._blocked_status, "not_restorable", "This user was blocked and cannot be recreated"
            )
        message = f"An archived contact matching those details already exists with id={rivals[0].id}"
        return ErrorResponse(409, "conflict", message)


def _lower(email: str | UnsetType | None) -> str | None:
    return email.lower() if isinstance(email, str) and email else None
