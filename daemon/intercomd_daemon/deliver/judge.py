"""From an answer to a verdict: one pure, total function, by status first, then by code, by message only for conflicts.

What a verdict means for an envelope, it does not know.
"""

import re
from enum import Enum, auto

import msgspec

from intercomd_daemon.deliver.exchange import Answer, Call


class Kind(Enum):
    """What an answer says of the call."""

    DONE = auto()
    RESOLVE = auto()
    """The contact, or an attribute, is not what we took it for; the clue says what to do next."""
    PASSING = auto()
    REFUSED = auto()
    SUSPENDED = auto()
    """Our access is wrong, whatever we send."""


class Clue(Enum):
    """What a RESOLVE is about."""

    NONE = auto()
    NOT_FOUND = auto()
    EXISTS = auto()
    ARCHIVED = auto()
    AMBIGUOUS = auto()
    CONFLICT = auto()
    ATTRIBUTE = auto()
    """A custom attribute that does not exist."""
    VALUE = auto()
    """A custom attribute that exists, or may, and does not take the value."""


class Verdict(msgspec.Struct, frozen=True):
    """The judgement of one answer."""

    kind: Kind
    reason: str = ""
    clue: Clue = Clue.NONE
    contact_id: str = ""
    """Of the contact that was written, read or met."""
    external_id: str = ""
    """Of a contact that was read."""
    attribute: str = ""
    """The custom attribute that was refused."""


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None
    field: object = None


class _Body(msgspec.Struct):
    id: str | int | None = None
    external_id: str | int | None = None
    errors: list[_Error] | None = None


# Intercom's ids have 24 characters, and the book keeps one of each contact: what is far longer is none.
CONTACT_ID_CHARACTERS_MAX = 64
# "the id stands only in the message": A contact matching those details already exists with id=<24 hex>
_EXISTING = re.compile(rf"exists with id=([0-9a-zA-Z]{{1,{CONTACT_ID_CHARACTERS_MAX}}})(?![0-9a-zA-Z])")
# 400 parameter_invalid: Custom attribute 'X' does not exist
_ATTRIBUTE = re.compile(r"[Cc]ustom attribute '(.+?)'")
_MISSING = "does not exist"
# The attribute's name as `field` may give it.
_FIELD_PREFIX = "custom_attributes."
# 400 bad_request: User has been marked for permanent deletion and is not restorable.
_DELETED = "marked for permanent deletion"
# "Every refusal of a side call ... only turns that feature off"
_SIDE_CALLS = frozenset({Call.LIST_ATTRIBUTES, Call.CREATE_ATTRIBUTE})
_BY_ID = frozenset({Call.UPDATE_CONTACT, Call.READ_CONTACT, Call.UNARCHIVE_CONTACT})
_CONTACT_WRITES = frozenset({Call.CREATE_CONTACT, Call.UPDATE_CONTACT})
_ACCESS_REASONS = {401: "UNAUTHORIZED", 402: "PLAN_RESTRICTED", 403: "FORBIDDEN"}
_EVENT_NAMES = "active event names"

RATE_LIMITED = "RATE_LIMITED"
NETWORK = "NETWORK"
NOT_INTERCOM = "NOT_INTERCOM"


def judge(call: Call, answer: Answer) -> Verdict:
    """The verdict on an answer to a call; total: bodies may be empty, not JSON, or of another shape."""
    status = answer.status
    if status == 0:
        return Verdict(Kind.PASSING, NETWORK)
    body = _parse(answer.body)
    if 200 <= status < 300:
        return _done(call, body)
    if status == 429:
        return Verdict(Kind.PASSING, RATE_LIMITED)
    if status < 400 or status >= 500 or status in {408, 423, 425}:
        return Verdict(Kind.PASSING, f"HTTP_{status}")
    if status in {401, 402, 403}:
        if call in _SIDE_CALLS:
            return Verdict(Kind.REFUSED, _ACCESS_REASONS[status])
        return Verdict(Kind.SUSPENDED, _ACCESS_REASONS[status])
    return _refusal(call, status, body.errors or [])


def _parse(data: bytes) -> _Body:
    try:
        return msgspec.json.decode(data, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Body()


def _done(call: Call, body: _Body) -> Verdict:
    contact_id = str(body.id) if body.id is not None else ""
    if len(contact_id) > CONTACT_ID_CHARACTERS_MAX:
        contact_id = ""
    if call is Call.READ_CONTACT and not contact_id:
        return Verdict(Kind.PASSING, "ANSWER_UNREADABLE")
    external_id = str(body.external_id) if body.external_id is not None else ""
    return Verdict(Kind.DONE, contact_id=contact_id, external_id=external_id)


def _refusal(call: Call, status: int, errors: list[_Error]) -> Verdict:
    codes = {error.code for error in errors}
    message = " ".join(error.message or "" for error in errors)
    if "intercom_version_invalid" in codes:
        return Verdict(Kind.SUSPENDED, "VERSION_INVALID")
    if "not_restorable" in codes:
        # "This user was blocked and cannot be recreated"
        return Verdict(Kind.REFUSED, "CONTACT_BLOCKED")
    if status == 404 and call is Call.CREATE_CONTACT and not errors:
        # A strict create has no 404 that is described; one without Intercom's envelope of errors is another server's.
        return Verdict(Kind.SUSPENDED, NOT_INTERCOM)
    if status in {404, 410} and (call in _BY_ID or call is Call.TRACK_EVENT):
        return Verdict(Kind.RESOLVE, "CONTACT_NOT_FOUND", Clue.NOT_FOUND)
    if status == 409 or "unique_user_constraint" in codes:
        return _conflict(call, message)
    if status == 400:
        return _bad_request(call, errors, message)
    if status == 413:
        return Verdict(Kind.REFUSED, "TOO_LARGE")
    if status == 422 and _EVENT_NAMES in message:
        return Verdict(Kind.REFUSED, "EVENT_NAMES_EXHAUSTED")
    return Verdict(Kind.REFUSED, "REQUEST_INVALID")


def _bad_request(call: Call, errors: list[_Error], message: str) -> Verdict:
    if call is Call.UNARCHIVE_CONTACT and _DELETED in message:
        return Verdict(Kind.REFUSED, "CONTACT_DELETED")
    if call not in _CONTACT_WRITES:
        return Verdict(Kind.REFUSED, "REQUEST_INVALID")
    named = _ATTRIBUTE.search(message)
    if named:
        clue = Clue.ATTRIBUTE if _MISSING in message else Clue.VALUE
        return Verdict(Kind.RESOLVE, "ATTRIBUTE_REFUSED", clue, attribute=named.group(1))
    fields = (error.field.removeprefix(_FIELD_PREFIX) for error in errors if isinstance(error.field, str))
    field = next(fields, "")
    return Verdict(Kind.REFUSED, "REQUEST_INVALID", Clue.VALUE if field else Clue.NONE, attribute=field)


def _conflict(call: Call, message: str) -> Verdict:
    if call is Call.UPDATE_CONTACT:
        # "May itself 409 when the new email or external_id belongs to another contact"
        return Verdict(Kind.RESOLVE, "IDENTITY_CONFLICT", Clue.CONFLICT)
    if call is not Call.CREATE_CONTACT:
        return Verdict(Kind.REFUSED, "IDENTITY_AMBIGUOUS")
    found = _EXISTING.search(message)
    if not found:
        # "Multiple existing users match this email address - must be more specific using user_id" (no id)
        return Verdict(Kind.RESOLVE, "IDENTITY_AMBIGUOUS", Clue.AMBIGUOUS)
    # "An archived contact matching those details already exists with id=<24 hex>"
    clue = Clue.ARCHIVED if "archived" in message[: found.start()] else Clue.EXISTS
    return Verdict(Kind.RESOLVE, clue.name, clue, contact_id=found.group(1))
