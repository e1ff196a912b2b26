"""Which call finds out who a lane's contact is at Intercom, or writes to it."""

from collections.abc import Mapping

from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.classification import Classification, Hint, Kind
from intercomd_daemon.deliver.intercom.messages import Call, Request
from intercomd_daemon.deliver.lane.actions import Retry
from intercomd_daemon.deliver.lane.contact import Contact
from intercomd_daemon.envelope import Scalar

# "At most 3 rounds, then back off": conflicts answered for one update before it is put off.
ROUNDS_MAX = 3


class Resolution:
    """What the answers have taught of one lane's contact while one update, or one event, is on its way."""

    def __init__(self) -> None:
        self.taken = ""
        """The email that another contact owns: it is left out."""
        self.adopt = ""
        """The id of the contact that was found by email and has no external id yet: it gets ours."""
        self.refusal = ""
        self.lost = False
        """Whether the last answer says that there is no such contact any more."""
        self._suspect = ""
        self._suspect_email = ""
        self._suspect_archived = False
        self._unarchive = ""
        self._rounds = 0

    def request(self, contact: Contact, customer_id: str, email: str, fields: Mapping[str, Scalar]) -> Request:
        """The call that writes these fields to the contact, or that finds out who it is."""
        if self._unarchive:
            return requests.unarchive_contact(self._unarchive)
        if self._suspect:
            return requests.read_contact(self._suspect)
        contact_id = self.adopt or contact.id
        if not contact_id or email == self.taken:
            # On create the email is part of the identity.
            fields = {name: value for name, value in fields.items() if name != "email"}
        if contact_id:
            return requests.update_contact(contact_id, customer_id if self.adopt else "", fields)
        return requests.create_contact(customer_id, "" if email == self.taken else email, fields)

    def nothing_left(self, contact: Contact, email: str, fields: Mapping[str, Scalar]) -> bool:
        """Whether all that was to be said is an email that another contact owns."""
        asking = self._suspect or self._unarchive or self.adopt
        return bool(contact.id and email) and email == self.taken and not asking and fields.keys() <= {"email"}

    def learn(
        self,
        contact: Contact,
        call: Call,
        classification: Classification,
        customer_id: str,
        email: str,
        *,
        unarchive: bool,
    ) -> Retry:
        """Takes an answer that did not write the contact, and says whether to go on with another call at once."""
        with_email = bool(customer_id and email) and email != self.taken
        self.lost = False
        if classification.kind is Kind.DONE:
            self._met(contact, classification, customer_id, unarchive=unarchive)
        elif classification.hint is Hint.NOT_FOUND:
            self._lost(contact, call, unarchive=unarchive)
        elif classification.hint in {Hint.EXISTS, Hint.ARCHIVED} and with_email:
            self._suspect, self._suspect_email = classification.contact_id, email
            self._suspect_archived = classification.hint is Hint.ARCHIVED
        elif classification.hint is Hint.ARCHIVED:
            self._archived(classification.contact_id, unarchive=unarchive)
        elif classification.hint is Hint.EXISTS:
            contact.id = classification.contact_id
        elif classification.hint in {Hint.AMBIGUOUS, Hint.CONFLICT} and with_email:
            # Where our external id is the one that clashes, it is the email's owner who is not ours.
            self.taken, self.adopt = email, ""
        else:
            self.refusal = classification.reason
        if self.refusal:
            return Retry.NEVER
        self._rounds += classification.kind is not Kind.DONE
        return Retry.LATER if self._rounds > ROUNDS_MAX else Retry.NOW

    def _met(self, contact: Contact, classification: Classification, customer_id: str, *, unarchive: bool) -> None:
        """`GET /contacts/{id}` or the unarchiving was answered: is it the one that we mean?"""
        suspect, unarchived = self._suspect, self._unarchive
        self._suspect = self._unarchive = ""
        if customer_id and classification.external_id not in {"", customer_id}:
            # "compare its external_id before overwriting it": it is another's, who owns the email.
            self.taken = self._suspect_email
        elif suspect and self._suspect_archived:
            self._archived(suspect, unarchive=unarchive)
        elif customer_id and not classification.external_id:
            self.adopt = suspect or unarchived
        else:
            contact.id = suspect or unarchived

    def _lost(self, contact: Contact, call: Call, *, unarchive: bool) -> None:
        suspect, self._suspect, self._unarchive, self.adopt = self._suspect, "", "", ""
        if call is Call.READ_CONTACT and self._suspect_archived:
            self._archived(suspect, unarchive=unarchive)
        else:
            self.lost = True
            contact.forget()

    def _archived(self, contact_id: str, *, unarchive: bool) -> None:
        # "Unarchiving after a 409 silently undoes somebody's decision: make it a setting, off by default."
        if unarchive:
            self._unarchive = contact_id
        else:
            self.refusal = "CONTACT_ARCHIVED"
