"""Which waiting envelopes leave as one update, and what of their attributes is still to be said.

Values that the book already holds are left out; custom attributes are fitted to the catalogue. How the contact is
reached, and what the answer means, it does not know.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from intercomd_daemon.deliver.catalogue import Catalogue, Fit, Fitted
from intercomd_daemon.deliver.contact import Contact
from intercomd_daemon.deliver.waiting import Waiting
from intercomd_daemon.envelope import CONTACT_FIELDS, FIRST_NAME, LAST_NAME, Finding, Scalar

_IDENTITY = frozenset({"email"})
_STANDARD = CONTACT_FIELDS | _IDENTITY | {FIRST_NAME, LAST_NAME}
_NAME_PARTS = (FIRST_NAME, LAST_NAME)


class MergeRules(msgspec.Struct, frozen=True):
    """The settings that shape an update."""

    update_email: bool = True
    unchanged_for_seconds: float = 86_400.0
    user_attributes_max: int = 100
    owner_id_is_text: bool = True


Spoken = dict[str, tuple[Scalar, int]]
"""What is said: name to value as the sender gave it, and the position that said it."""


class Speech(NamedTuple):
    """One update: what goes over the wire, and what the book is to hold once it has been answered well."""

    fields: dict[str, Scalar]
    spoken: Spoken
    left_out: bool
    """Whether something that was to be said could not be."""
    missing: tuple[str, str] | None = None
    """(name, data type) of an attribute to create first."""


def gather(queue: Iterable[Waiting], rules: MergeRules) -> list[Waiting]:
    """The envelopes at the head of a lane whose updates leave together.

    Updates that wait in a row, and the update part of the envelope with an event that ends the row; "an update never
    crosses an event"; the union stays within the limit of a payload.
    """
    group: list[Waiting] = []
    names: set[str] = set()
    for waiting in queue:
        if not waiting.update_due(with_email=rules.update_email):
            break
        update = waiting.update(with_email=rules.update_email)
        joined = (names | update.keys()) - _IDENTITY
        if group and (waiting.alone or group[0].alone or len(joined) > rules.user_attributes_max):
            break
        group.append(waiting)
        names = joined
        if waiting.envelope.events:
            break
    return group


def email_of(group: list[Waiting]) -> str:
    """The newest email of the group; a replay's is as old as its first acceptance."""
    emails = {waiting.position: waiting.envelope.email for waiting in group if waiting.envelope.email}
    return emails[max(emails)] if emails else ""


def compose(
    unsaid: Spoken,
    group: list[Waiting],
    contact: Contact,
    catalogue: Catalogue,
    rules: MergeRules,
    now: float,
    *,
    unclearable: Collection[str] = (),
) -> Speech:
    """What goes over the wire for what is unsaid; adjustments are noted on the envelopes.

    `unclearable`: custom attributes that Intercom refused to clear on this contact.
    """
    times = {(name, waiting.position) for waiting in group for name in waiting.envelope.times}
    spoken = dict(unsaid)
    fields: dict[str, Scalar] = {}
    for name, (value, position) in unsaid.items():
        if not is_custom(name):
            if name not in _NAME_PARTS:
                fields[name] = _owner(value, rules) if name == "owner_id" else value
            continue
        fitted = catalogue.fit(name, value, now, is_time=(name, position) in times)
        if value is None and name in unclearable:
            fitted = Fitted(Fit.LEAVE_OUT, why="Intercom refuses to clear this attribute on this contact")
        if fitted.fit is Fit.CREATE:
            return Speech({}, {}, left_out=False, missing=(name, fitted.data_type))
        if fitted.fit is Fit.SEND:
            fields[name] = fitted.value
            if fitted.why:
                _note(group, rules, "VALUE_CONVERTED", name, fitted.why)
        else:
            del spoken[name]
            _note(group, rules, "ATTRIBUTE_DROPPED", name, fitted.why)
    _join_name(fields, spoken, contact)
    return Speech(fields, spoken, left_out=len(spoken) < len(unsaid))


def reduce(speech: Speech, group: list[Waiting], rules: MergeRules, *, to_identity: bool) -> Speech:
    """The same update without custom attributes, or with the identity alone; the others are listed as refused."""
    kept = _IDENTITY if to_identity else _STANDARD
    for name in (name for name in speech.spoken if name not in kept):
        message = "Intercom refused the update with this among its attributes and did not say which; sent without"
        _note(group, rules, "ATTRIBUTE_DROPPED", name, message)
    fields = {name: value for name, value in speech.fields.items() if name in kept}
    spoken = {name: value for name, value in speech.spoken.items() if name in kept}
    return Speech(fields, spoken, left_out=True)


def is_custom(name: str) -> bool:
    """Whether the attribute is none of Intercom's own."""
    return name not in _STANDARD


def unsaid(group: list[Waiting], contact: Contact, rules: MergeRules, now: float) -> Spoken:
    """The newest value of each attribute of which not every value is what the book holds."""
    newest: Spoken = {}
    changed: set[str] = set()
    for waiting in group:
        update = waiting.update(with_email=rules.update_email)
        for name, value in update.items():
            if name in _NAME_PARTS and "name" in update:
                continue  # "Plain name and phone win."
            if waiting.envelope.replay and contact.written_after(name, waiting.position):
                message = "a later envelope has said what it is since, so that the older value is left out"
                waiting.add_finding(Finding("ATTRIBUTE_DROPPED", _path(name), message))
                continue
            if not contact.knows(name, value, now, rules.unchanged_for_seconds):
                changed.add(name)
            if name not in newest or waiting.position >= newest[name][1]:
                newest[name] = (value, waiting.position)
    _settle_name(newest)
    return {name: said for name, said in newest.items() if name in changed}


def _settle_name(newest: Spoken) -> None:
    """Of the name and its parts the later overwrites the other."""
    parts = [name for name in _NAME_PARTS if name in newest]
    if "name" in newest and parts:
        part_is_later = max(newest[part][1] for part in parts) > newest["name"][1]
        for name in ["name"] if part_is_later else parts:
            del newest[name]


def _join_name(fields: dict[str, Scalar], spoken: Spoken, contact: Contact) -> None:
    """`FirstName` + `LastName` become Intercom's `name`; a part that is not said now is the book's."""
    if not any(part in spoken for part in _NAME_PARTS):
        return
    first = spoken[FIRST_NAME][0] if FIRST_NAME in spoken else contact.first_name
    last = spoken[LAST_NAME][0] if LAST_NAME in spoken else contact.last_name
    fields["name"] = " ".join(str(part) for part in (first, last) if part) or None


def _owner(value: Scalar, rules: MergeRules) -> Scalar:
    text = str(value)
    if value is None or rules.owner_id_is_text:
        return None if value is None else text
    return int(text) if text.isdecimal() else value


def _note(group: list[Waiting], rules: MergeRules, reason: str, name: str, message: str) -> None:
    for waiting in group:
        if name in waiting.update(with_email=rules.update_email):
            waiting.add_finding(Finding(reason, _path(name), message))


def _path(name: str) -> str:
    return f"user_attributes[{name}]"
