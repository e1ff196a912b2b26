"""Which call finds out who a lane's contact is at Intercom, or writes to it: a state machine over the responses.

- `Direct`: a create that conflicts with a contact of our email leads to `Verifying`.
- `Verifying`: if the contact is ours, `Direct`; without an external id, `Adopting`; archived, `Unarchiving` or
  `Refused`; with another external id, `Direct` without the email, which is taken.
- `Unarchiving`: the same. `Adopting`: the next update gives the contact our external id.
- A 404 leads from each of them to `NotFound`, which creates the contact again.
"""

from collections.abc import Mapping

import msgspec

from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.classification import Classification, Hint, Kind
from intercomd_daemon.deliver.intercom.messages import Request
from intercomd_daemon.deliver.lane.actions import Retry
from intercomd_daemon.deliver.lane.contact import Contact
from intercomd_daemon.envelope import Scalar

# "At most 3 rounds, then back off": conflicts answered for one update before it is put off.
ROUNDS_MAX = 3


class Direct(msgspec.Struct, frozen=True):
    """The next call writes: it updates the contact if its id is known, else it creates the contact."""


class NotFound(msgspec.Struct, frozen=True):
    """As `Direct`, after a response that the contact does not exist any more."""


class Verifying(msgspec.Struct, frozen=True):
    """A create met this contact by our email or customer id: read it, to compare its external id."""

    contact_id: str
    email: str
    archived: bool


class Unarchiving(msgspec.Struct, frozen=True):
    """The contact is archived, and `unarchive` is set: bring it back."""

    contact_id: str
    email: str
    """Taken by another contact if this one has another external id."""


class Adopting(msgspec.Struct, frozen=True):
    """The contact was found by email and has no external id: the next update gives it ours."""

    contact_id: str


class Refused(msgspec.Struct, frozen=True):
    """The contact cannot be written."""

    reason: str


Lookup = Direct | NotFound | Verifying | Unarchiving | Adopting | Refused


class Resolution:
    """The lookup of one lane's contact while one update, or one event, is on its way."""

    def __init__(self, *, unarchive: bool) -> None:
        """`unarchive`: the setting of the connection."""
        self.state: Lookup = Direct()
        self.taken = ""
        """The email that another contact owns: it is left out."""
        self._unarchive = unarchive
        self._rounds = 0

    def request(self, contact: Contact, customer_id: str, email: str, fields: Mapping[str, Scalar]) -> Request:
        """The call that writes these fields to the contact, or that finds out who it is."""
        if isinstance(self.state, Unarchiving):
            return requests.unarchive_contact(self.state.contact_id)
        if isinstance(self.state, Verifying):
            return requests.read_contact(self.state.contact_id)
        contact_id = self.adopted or contact.id
        if not contact_id or email == self.taken:
            # On create the email is part of the identity.
            fields = {name: value for name, value in fields.items() if name != "email"}
        if contact_id:
            return requests.update_contact(contact_id, customer_id if self.adopted else "", fields)
        return requests.create_contact(customer_id, "" if email == self.taken else email, fields)

    @property
    def adopted(self) -> str:
        """The id of the contact that gets our external id with the next update; empty if there is none."""
        return self.state.contact_id if isinstance(self.state, Adopting) else ""

    def nothing_left(self, contact: Contact, email: str, fields: Mapping[str, Scalar]) -> bool:
        """Whether only an email is left to be sent, and another contact owns it."""
        looking = isinstance(self.state, Verifying | Unarchiving | Adopting)
        return bool(contact.id and email) and email == self.taken and not looking and fields.keys() <= {"email"}

    def on_response(self, contact: Contact, classification: Classification, customer_id: str, email: str) -> Retry:
        """Takes a response that did not write the contact; returns whether to make the next call at once."""
        with_email = bool(customer_id and email) and email != self.taken
        self.state = self._next(contact, classification, customer_id, email if with_email else "")
        if isinstance(self.state, Refused):
            return Retry.NEVER
        self._rounds += classification.kind is not Kind.DONE
        return Retry.LATER if self._rounds > ROUNDS_MAX else Retry.NOW

    def _next(self, contact: Contact, classification: Classification, customer_id: str, email: str) -> Lookup:
        """The state after this response; `email` is empty if the call did not identify the contact by it as well."""
        if isinstance(self.state, Verifying | Unarchiving) and classification.kind is Kind.DONE:
            return self._met(self.state, contact, classification.external_id, customer_id)
        match classification.hint:
            case Hint.NOT_FOUND:
                if isinstance(self.state, Verifying) and self.state.archived:
                    # Archived contacts may not be readable.
                    return self._archived(self.state.contact_id, self.state.email)
                contact.forget()
                return NotFound()
            case Hint.EXISTS | Hint.ARCHIVED if email:
                return Verifying(classification.contact_id, email, classification.hint is Hint.ARCHIVED)
            case Hint.ARCHIVED:
                return self._archived(classification.contact_id, self.taken)
            case Hint.EXISTS:
                contact.id = classification.contact_id
                return Direct()
            case Hint.AMBIGUOUS | Hint.CONFLICT if email:
                # If our external id is the one that clashes, the owner of the email is another contact.
                self.taken = email
                return Direct()
            case _:
                return Refused(classification.reason)

    def _met(self, met: Verifying | Unarchiving, contact: Contact, external_id: str, customer_id: str) -> Lookup:
        """A contact was read or unarchived: is it ours?"""
        if customer_id and external_id not in {"", customer_id}:
            # "compare its external_id before overwriting it": it is another's, who owns the email.
            self.taken = met.email
            return Direct()
        if isinstance(met, Verifying) and met.archived:
            return self._archived(met.contact_id, met.email)
        if customer_id and not external_id:
            return Adopting(met.contact_id)
        contact.id = met.contact_id
        return Direct()

    def _archived(self, contact_id: str, email: str) -> Lookup:
        # "Unarchiving after a 409 silently undoes somebody's decision: make it a setting, off by default."
        return Unarchiving(contact_id, email) if self._unarchive else Refused("CONTACT_ARCHIVED")
