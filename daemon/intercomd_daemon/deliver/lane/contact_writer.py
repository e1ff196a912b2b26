"""Writes a lane's contact: finds out which contact is the user's, creates or updates it, and handles refusals.

Contacts are not searched for, because "a contact that was just created may be missing" from a search (I12). A create
that conflicts names the contact. The state is that of one lane while its first envelopes are on their way; it begins
anew when they are settled.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

import msgspec

from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.classification import ANSWER_UNREADABLE, FORBIDDEN, Classification, Hint, Kind
from intercomd_daemon.deliver.intercom.messages import Call, Request
from intercomd_daemon.deliver.lane.actions import DRY_RUN, BackOff, Flight, LaneContext, Replan
from intercomd_daemon.deliver.lane.pending import PendingEnvelope, Retry
from intercomd_daemon.envelope import CONTACT_FIELDS, FIRST_NAME, LAST_NAME, Finding, Scalar
from intercomd_daemon.errors import quoted

# Conflicts resolved for one update before a pause.
ROUNDS_MAX = 3

IDENTITY_FIELDS = frozenset({"email"})
STANDARD_FIELDS = CONTACT_FIELDS | IDENTITY_FIELDS | {FIRST_NAME, LAST_NAME}

_UNAVAILABLE = frozenset({"CONTACT_ARCHIVED", "CONTACT_BLOCKED", "CONTACT_DELETED"})
# Refusals that another content of the update may avoid.
_AVOIDABLE_BY_CONTENT = frozenset({"ATTRIBUTE_REFUSED", FORBIDDEN, "REQUEST_INVALID", "TOO_LARGE"})
# Refusals with these statuses may concern a value that they do not name.
_UNSPECIFIC_STATUSES = frozenset({400, 422})


def is_custom(name: str) -> bool:
    """Whether the attribute is a custom one, not one of Intercom's contact fields."""
    return name not in STANDARD_FIELDS


class ComposedUpdate(NamedTuple):
    """The values that one call writes, composed of the updates that share it."""

    fields: dict[str, Scalar]
    """By Intercom's name, as they are sent."""
    sent_values: dict[str, tuple[Scalar, int]]
    """The values under the sender's names, each with its envelope's position; stored in the contact cache."""
    left_out: bool
    """Whether a value had to be left out."""


class ContactWrite(Flight):
    """A call that creates or updates the contact."""

    update: ComposedUpdate
    creations: int
    """Attributes that were created before the call left."""


class ContactLookup(Flight):
    """A call that reads or unarchives the contact, because its identity or state must be known before it is written."""


class Written(NamedTuple):
    """The contact was written."""


class WriteRefused(NamedTuple):
    """Intercom refuses for good to write the contact, or it cannot be found out which contact to write."""

    reason: str


class Presence(Enum):
    """Whether the contact exists at Intercom, as far as the events of the lane show."""

    ASSUMED = auto()
    MISSING = auto()
    """Intercom did not find it for an event: it must be created first."""
    CONFIRMED = auto()
    """Created or found after that: events name it by Intercom's id."""


# The lookup: which call comes next for a write. The transitions, in the order in which they are checked:
#
# - `Direct` writes. A conflict with a contact that may have our email: `Verifying`. A conflict with an archived contact
#   by customer id or email alone: `Unarchiving` or `Refused`. Any other conflict of emails: `Direct` without the email.
# - `Verifying` reads the contact that conflicts. Another external id: `Direct` without the email. Archived:
#   `Unarchiving` or `Refused`. No external id: `Adopting`. Ours: `Direct`.
# - `Unarchiving` unarchives the contact, then continues as `Verifying` does.
# - `Adopting` writes our external id.
# - A 404 leads from each of them to `NotFound`, which creates the contact; only when `Verifying` an archived contact it
#   leads to `Unarchiving` or `Refused`.


class Direct(msgspec.Struct, frozen=True):
    """The next call writes: it updates the contact if its id is known, else it creates the contact."""


class NotFound(msgspec.Struct, frozen=True):
    """As `Direct`, after a response that the contact no longer exists."""


class Verifying(msgspec.Struct, frozen=True):
    """A create conflicts with this contact by email or customer id: read it, to compare its external id."""

    contact_id: str
    email: str
    archived: bool


class Unarchiving(msgspec.Struct, frozen=True):
    """The contact is archived, and `unarchive` is set: unarchive it."""

    contact_id: str
    email: str
    """Taken by another contact if this one has another external id."""


class Adopting(msgspec.Struct, frozen=True):
    """The contact has our email and no external id: the next update sets its external id to ours."""

    contact_id: str


class Refused(msgspec.Struct, frozen=True):
    """The contact cannot be written."""

    reason: str


Lookup = Direct | NotFound | Verifying | Unarchiving | Adopting | Refused
_DIRECT = Direct()


class ContactWriter:
    """The writes to the contact of one lane."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self.reset()

    def reset(self) -> None:
        """Forgets everything about the envelopes that were settled."""
        self.presence = Presence.ASSUMED
        self.reduced = False
        """Whether updates leave out every value that Intercom may have refused without naming it."""
        self.unclearable: set[str] = set()
        """Custom attributes that Intercom refused to clear on this contact."""
        self._restart_lookup()

    def _restart_lookup(self) -> None:
        self._lookup: Lookup = _DIRECT
        self._rounds = 0
        self.taken_email = ""
        """The email that another contact owns, so that it is left out."""

    def contact_missing(self, *, identity_only: bool) -> None:
        """Intercom did not find the contact for an event. `identity_only`: create it with the identity alone."""
        self.presence = Presence.MISSING
        self.reduced = identity_only
        self._restart_lookup()

    def contact_found(self) -> None:
        """The missing contact was created or found, by this lane or by one that shares the contact."""
        self.presence = Presence.CONFIRMED

    def only_taken_email_left(self, group: list[PendingEnvelope], fields: Mapping[str, Scalar]) -> bool:
        """Whether the update consists of an email that another contact owns, and the contact is known."""
        looking = isinstance(self._lookup, Verifying | Unarchiving | Adopting)
        known = bool(self._context.contact.id) and not looking
        return (
            known
            and bool(self.taken_email)
            and email_of(group) == self.taken_email
            and fields.keys() <= IDENTITY_FIELDS
        )

    def call(self, group: list[PendingEnvelope], update: ComposedUpdate) -> ContactWrite | ContactLookup:
        """Returns the call that writes this update for the group, or the lookup that must come before it."""
        match self._lookup:
            case Unarchiving(contact_id):
                return ContactLookup(requests.unarchive_contact(contact_id), group)
            case Verifying(contact_id):
                return ContactLookup(requests.read_contact(contact_id), group)
        flight = ContactWrite(self._write_request(group, update.fields), group, update, self._context.catalog.creations)
        # From now until the response, Intercom's values of these attributes are uncertain.
        self._context.contact.begin_write([*update.fields, *update.sent_values], flight)
        return flight

    def _write_request(self, group: list[PendingEnvelope], fields: Mapping[str, Scalar]) -> Request:
        customer_id, email = group[-1].envelope.customer_id, email_of(group)
        adopted = self._adopted
        contact_id = adopted or self._context.contact.id
        if not contact_id or email == self.taken_email:
            # In a create the email is part of the identity, beside the fields.
            fields = {name: value for name, value in fields.items() if name != "email"}
        if contact_id:
            return requests.update_contact(contact_id, customer_id if adopted else "", fields)
        return requests.create_contact(customer_id, "" if email == self.taken_email else email, fields)

    @property
    def _adopted(self) -> str:
        return self._lookup.contact_id if isinstance(self._lookup, Adopting) else ""

    def on_response(
        self, flight: Flight, classification: Classification, status: int, now: float
    ) -> Written | WriteRefused | Replan | BackOff:
        """Handles the response to a call that `call` returned."""
        update = flight.update if isinstance(flight, ContactWrite) else None
        attribute = classification.attribute
        if isinstance(flight, ContactWrite) and attribute in flight.update.fields and is_custom(attribute):
            self._on_attribute_refused(flight, attribute, classification.hint, now)
            return Replan()
        customer_id = flight.group[-1].envelope.customer_id
        creates = flight.request.call is Call.CREATE_CONTACT and customer_id
        if creates and classification.external_id not in {"", customer_id}:
            # Another user's contact, as a cache on the way returns it. Later updates would overwrite that user.
            for pending in flight.group:
                pending.on_failure(status, f"{flight.request.call}: {ANSWER_UNREADABLE}")
            self._restart_lookup()
            return BackOff()
        if update is not None and classification.kind is Kind.DONE:
            contact = self._context.contact
            contact.identify(classification.contact_id or self._adopted or contact.id)
            if classification.reason != DRY_RUN:
                compared = self._context.settings.unchanged_for_seconds > 0.0
                contact.mark_sent(self._stored_values(update), flight, now, compared=compared)
            return Written()
        if classification.kind is Kind.REFUSED or attribute:
            return self._on_refusal(flight, classification.reason, status, now)
        return self._resolve(flight, classification, status, now)

    def _stored_values(self, update: ComposedUpdate) -> dict[str, tuple[Scalar, int]]:
        """Returns the values under the sender's names as Intercom stores them, to recognize equal ones later."""
        stored = self._context.catalog.stored_value
        return {
            name: (stored(name, update.fields[name], converted=True) if is_custom(name) else value, position)
            for name, (value, position) in update.sent_values.items()
        }

    def _on_attribute_refused(self, flight: ContactWrite, name: str, hint: Hint, now: float) -> None:
        """A 400 names one attribute: the next plan creates the attribute or leaves the value out."""
        value = flight.update.fields[name]
        if hint is Hint.ATTRIBUTE:
            self._context.catalog.reported_missing(name, flight.creations, now)
        elif value is None:
            # Intercom refused null for some leads (I14). That may hold for one contact only, so the catalog does not
            # remember it.
            self.unclearable.add(name)
        else:
            self._context.catalog.value_refused(name, value, now)

    def _on_refusal(self, flight: Flight, reason: str, status: int, now: float) -> WriteRefused | Replan:
        """Handles a refusal: tries each alternative call once, then refuses the envelope."""
        if len(flight.group) > 1:
            # One envelope may have caused the refusal: each makes its own call.
            for pending in flight.group:
                pending.alone = True
            self._restart_lookup()
            return Replan()
        if flight.request.call is Call.UNARCHIVE_CONTACT and reason not in _UNAVAILABLE:
            reason = "CONTACT_ARCHIVED"  # For whatever reason, the contact stays archived.
        if isinstance(flight, ContactWrite) and reason in _AVOIDABLE_BY_CONTENT and not self.reduced:
            fields = flight.update.fields
            custom = [is_custom(name) for name in fields] if status in _UNSPECIFIC_STATUSES else []
            # A newer list of attributes may show which value does not fit, so that the next plan leaves out that one.
            if any(custom) and self._context.catalog.doubt(now):
                return Replan()
            # Retry once without custom attributes, which are reported as left out.
            retry_reduced = any(custom) and not all(custom)
            if self.presence is Presence.MISSING:
                # A bad attribute must not cost the event, for which the contact's identity suffices.
                retry_reduced = not fields.keys() <= IDENTITY_FIELDS
            if retry_reduced:
                self.reduced = True
                return Replan()
        if reason in _UNAVAILABLE:
            self._context.unavailable.add(self._context.key, reason, now)
        return WriteRefused(reason)

    def _resolve(
        self, flight: Flight, classification: Classification, status: int, now: float
    ) -> WriteRefused | Replan | BackOff:
        """Handles a response showing that the contact is not the one assumed, or which contact it is."""
        customer_id, email, previous = flight.group[-1].envelope.customer_id, email_of(flight.group), self.taken_email
        identified_by_email = bool(customer_id and email) and email != previous
        self._lookup = self._next_lookup(classification, customer_id, email if identified_by_email else "")
        if self.taken_email != previous:
            _report_taken_email(flight.group, self.taken_email)
        retry = Retry.NOW
        if isinstance(self._lookup, NotFound):
            # The first 404 is repaired at once; later ones after a pause, until NOT_FOUND_MAX.
            retry = flight.group[0].contact_not_found()
        if isinstance(self._lookup, Refused) or retry is Retry.NEVER:
            reason = self._lookup.reason if isinstance(self._lookup, Refused) else classification.reason
            return self._on_refusal(flight, reason, status, now)
        self._rounds += classification.kind is not Kind.DONE
        if self._rounds > ROUNDS_MAX or retry is Retry.LATER:
            self._restart_lookup()
            return BackOff()
        return Replan()

    def _next_lookup(self, classification: Classification, customer_id: str, email: str) -> Lookup:
        """The state after this response; `email` is empty if the call did not identify the contact by it as well."""
        lookup = self._lookup
        if isinstance(lookup, Verifying | Unarchiving) and classification.kind is Kind.DONE:
            return self._compare(lookup, classification.external_id, customer_id)
        match classification.hint:
            case Hint.NOT_FOUND:
                if isinstance(lookup, Verifying) and lookup.archived:
                    # Archived contacts may not be readable.
                    return self._archived(lookup.contact_id, lookup.email)
                self._context.contact.forget()
                return NotFound()
            case Hint.EXISTS | Hint.ARCHIVED if email:
                # It has our customer id or our email: only its external id shows whether it is ours.
                return Verifying(classification.contact_id, email, classification.hint is Hint.ARCHIVED)
            case Hint.ARCHIVED:
                return self._archived(classification.contact_id, self.taken_email)
            case Hint.EXISTS:
                self._context.contact.identify(classification.contact_id)
                return Direct()
            case Hint.AMBIGUOUS | Hint.CONFLICT if email:
                # Try without the email. If the external id conflicts as well, the next response is refused.
                self.taken_email = email
                return Direct()
            case _:
                return Refused(classification.reason)

    def _compare(self, found: Verifying | Unarchiving, external_id: str, customer_id: str) -> Lookup:
        """The state after a contact was read or unarchived, by its external id."""
        if customer_id and external_id not in {"", customer_id}:
            # It is another user's contact, which owns the email: do not overwrite it.
            self.taken_email = found.email
            return Direct()
        if isinstance(found, Verifying) and found.archived:
            return self._archived(found.contact_id, found.email)
        if customer_id and not external_id:
            return Adopting(found.contact_id)
        self._context.contact.identify(found.contact_id)
        return Direct()

    def _archived(self, contact_id: str, email: str) -> Lookup:
        # Unarchiving silently undoes a decision made at Intercom, so it is a setting, off by default.
        return Unarchiving(contact_id, email) if self._context.settings.unarchive else Refused("CONTACT_ARCHIVED")


def email_of(group: list[PendingEnvelope]) -> str:
    """Returns the newest email of the group. A replayed envelope counts as old as its first acceptance."""
    emails = {pending.position: pending.envelope.email for pending in group if pending.envelope.email}
    return emails[max(emails)] if emails else ""


def _report_taken_email(group: list[PendingEnvelope], email: str) -> None:
    message = (
        f"email {quoted(email)} already belongs to another contact, and Intercom allows an email on only one contact: "
        "left it out; remove it from the other contact, or send the correct email"
    )
    for pending in group:
        if pending.envelope.email == email:
            pending.add_finding(Finding("EMAIL_TAKEN", "identity.email", message))
