"""Which waiting envelopes leave as one update, and what of their attributes is still to be said.

Values that the book already holds are left out; custom attributes are fitted to the catalogue. How the contact is
reached, and what the answer means, it does not know.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog, Fit, Fitted, shown
from intercomd_daemon.deliver.lane.contact import Contact
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.envelope import CONTACT_FIELDS, FIRST_NAME, LAST_NAME, Finding, Scalar
from intercomd_daemon.errors import quoted

_IDENTITY = frozenset({"email"})
_STANDARD = CONTACT_FIELDS | _IDENTITY | {FIRST_NAME, LAST_NAME}
_NAME_PARTS = (FIRST_NAME, LAST_NAME)


SentValues = dict[str, tuple[Scalar, int]]
"""What is said: name to value as the sender gave it, and the position that said it."""


class ContactUpdate(NamedTuple):
    """One update: what goes over the wire, and what the book is to hold once it has been answered well."""

    fields: dict[str, Scalar]
    sent_values: SentValues
    left_out: bool
    """Whether something that was to be said could not be."""
    missing: tuple[str, str] | None = None
    """(name, data type) of an attribute to create first."""


def gather(queue: Iterable[PendingEnvelope], settings: ConnectionSettings) -> list[PendingEnvelope]:
    """The envelopes at the head of a lane whose updates leave together.

    Updates that wait in a row, and the update part of the envelope with an event that ends the row; "an update never
    crosses an event"; the union stays within the limit of a payload.
    """
    group: list[PendingEnvelope] = []
    names: set[str] = set()
    for waiting in queue:
        if not waiting.update_due(with_email=settings.update_email):
            break
        update = waiting.update(with_email=settings.update_email)
        joined = (names | update.keys()) - _IDENTITY
        if group and (waiting.alone or group[0].alone or len(joined) > settings.limits.user_attributes_max):
            break
        group.append(waiting)
        names = joined
        if waiting.envelope.events:
            break
    return group


def email_of(group: list[PendingEnvelope]) -> str:
    """The newest email of the group; a replay's is as old as its first acceptance."""
    emails = {waiting.position: waiting.envelope.email for waiting in group if waiting.envelope.email}
    return emails[max(emails)] if emails else ""


def compose(
    changed_values: SentValues,
    group: list[PendingEnvelope],
    contact: Contact,
    catalog: AttributeCatalog,
    settings: ConnectionSettings,
    now: float,
    *,
    unclearable: Collection[str] = (),
) -> ContactUpdate:
    """What goes over the wire for what is unsaid; adjustments are noted on the envelopes.

    `unclearable`: custom attributes that Intercom refused to clear on this contact.
    """
    times = {(name, waiting.position) for waiting in group for name in waiting.times}
    sent_values = dict(changed_values)
    fields: dict[str, Scalar] = {}
    for name, (value, position) in changed_values.items():
        if not is_custom(name):
            if name not in _NAME_PARTS:
                fields[name] = _owner(value, settings) if name == "owner_id" else value
            continue
        fitted = catalog.fit(name, value, now, is_time=(name, position) in times)
        if value is None and name in unclearable:
            refusal = f"Intercom refuses to clear attribute {quoted(name)} on this contact"
            fitted = Fitted(Fit.LEAVE_OUT, message=f"{refusal}: dropped the removal; clear it there")
        if fitted.fit is Fit.CREATE:
            return ContactUpdate({}, {}, left_out=False, missing=(name, fitted.data_type))
        if fitted.fit is Fit.SEND:
            fields[name] = fitted.value
            if fitted.message:
                _note(group, settings, "VALUE_CONVERTED", name, fitted.message)
        else:
            del sent_values[name]
            _note(group, settings, "ATTRIBUTE_DROPPED", name, fitted.message)
    _join_name(fields, sent_values, contact)
    return ContactUpdate(fields, sent_values, left_out=len(sent_values) < len(changed_values))


def reduce(
    contact_update: ContactUpdate, group: list[PendingEnvelope], settings: ConnectionSettings, *, to_identity: bool
) -> ContactUpdate:
    """The same update without custom attributes, or with the identity alone; the others are listed as refused."""
    kept = _IDENTITY if to_identity else _STANDARD
    for name, (value, _) in contact_update.sent_values.items():
        if name not in kept:
            cause = "Intercom refused the update without naming the attribute"
            message = f"{cause}: dropped {quoted(name.lstrip('$'))}, which is {shown(value)}; check each value there"
            _note(group, settings, "ATTRIBUTE_DROPPED", name, message)
    fields = {name: value for name, value in contact_update.fields.items() if name in kept}
    sent_values = {name: value for name, value in contact_update.sent_values.items() if name in kept}
    return ContactUpdate(fields, sent_values, left_out=True)


def is_custom(name: str) -> bool:
    """Whether the attribute is none of Intercom's own."""
    return name not in _STANDARD


def changed_values(
    group: list[PendingEnvelope], contact: Contact, settings: ConnectionSettings, now: float
) -> SentValues:
    """The newest value of each attribute of which not every value is what the book holds."""
    newest: SentValues = {}
    changed: set[str] = set()
    for waiting in group:
        update = waiting.update(with_email=settings.update_email)
        for name, value in update.items():
            if name in _NAME_PARTS and "name" in update:
                continue  # "Plain name and phone win."
            if waiting.envelope.replay and contact.written_after(name, waiting.position):
                message = f"a later envelope set {quoted(name.lstrip('$'))}: dropped the replay's value {shown(value)}"
                waiting.add_finding(Finding("ATTRIBUTE_DROPPED", _path(name), message))
                continue
            if not contact.knows(name, value, now, settings.unchanged_for_seconds):
                changed.add(name)
            if name not in newest or waiting.position >= newest[name][1]:
                newest[name] = (value, waiting.position)
    _settle_name(newest)
    return {name: said for name, said in newest.items() if name in changed}


def _settle_name(newest: SentValues) -> None:
    """Of the name and its parts the later overwrites the other."""
    parts = [name for name in _NAME_PARTS if name in newest]
    if "name" in newest and parts:
        part_is_later = max(newest[part][1] for part in parts) > newest["name"][1]
        for name in ["name"] if part_is_later else parts:
            del newest[name]


def _join_name(fields: dict[str, Scalar], sent_values: SentValues, contact: Contact) -> None:
    """`FirstName` + `LastName` become Intercom's `name`; a part that is not said now is the book's."""
    if not any(part in sent_values for part in _NAME_PARTS):
        return
    first = sent_values[FIRST_NAME][0] if FIRST_NAME in sent_values else contact.first_name
    last = sent_values[LAST_NAME][0] if LAST_NAME in sent_values else contact.last_name
    fields["name"] = " ".join(str(part) for part in (first, last) if part) or None


def _owner(value: Scalar, settings: ConnectionSettings) -> Scalar:
    text = str(value)
    if value is None or settings.owner_id_is_text:
        return None if value is None else text
    return int(text) if text.isdecimal() else value


def _note(group: list[PendingEnvelope], settings: ConnectionSettings, reason: str, name: str, message: str) -> None:
    for waiting in group:
        if name in waiting.update(with_email=settings.update_email):
            waiting.add_finding(Finding(reason, _path(name), message))


def _path(name: str) -> str:
    return f"user_attributes[{name}]"
