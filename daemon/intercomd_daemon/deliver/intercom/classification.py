"""Classifies responses: one pure, total function, by status first, then by code, by message only for conflicts.

`CALLS` lists how the responses to each call differ from those to the others.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import NamedTuple, TypeVar

import msgspec

from intercomd_daemon.deliver.intercom.messages import Call, Response


class Kind(Enum):
    """The result of a call, as its response shows it."""

    DONE = auto()
    RESOLVE = auto()
    """The contact, or an attribute, is not what the daemon assumed; the hint shows what to do next."""
    TRANSIENT = auto()
    REFUSED = auto()
    SUSPENDED = auto()
    """The access is wrong, whatever is sent."""


class Hint(Enum):
    """The subject of a RESOLVE."""

    NONE = auto()
    NOT_FOUND = auto()
    EXISTS = auto()
    ARCHIVED = auto()
    AMBIGUOUS = auto()
    CONFLICT = auto()
    ATTRIBUTE = auto()
    """A custom attribute that does not exist."""
    VALUE = auto()
    """A custom attribute that exists, or may exist, and does not accept the value."""


class Classification(msgspec.Struct, frozen=True):
    """The classification of one response."""

    kind: Kind
    reason: str = ""
    hint: Hint = Hint.NONE
    contact_id: str = ""
    """Of the contact that was written or read, or that a conflict names."""
    external_id: str = ""
    """Of a contact that was read."""
    attribute: str = ""
    """The custom attribute that was refused."""


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None
    field: object = None


class _Body(msgspec.Struct):
    """A body as far as it matters. Each field may be of any type: a strange one must not hide the others."""

    type: object = None
    id: object = None
    external_id: object = None
    name: object = None
    data: msgspec.Raw = msgspec.Raw()
    errors: object = None

    @property
    def refuses(self) -> bool:
        """Whether it reports errors in any form, so that a 2xx does not count as success."""
        return self.type == "error.list" or self.errors is not None

    @property
    def lists_errors(self) -> bool:
        """Whether this is Intercom's list of errors (I29): `{"type":"error.list","errors":[{"code","message"?}]}`."""
        return self.type == "error.list" or isinstance(self.errors, list)

    def listed(self) -> list[_Error]:
        """The errors, as far as each can be read."""
        listed = self.errors if isinstance(self.errors, list) else []
        return [_converted(each) for each in listed]


_EMPTY_BODY = _Body()

_Read = TypeVar("_Read")


def _decoded(data: bytes | msgspec.Raw, type_: type[_Read]) -> _Read | None:
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _converted(error: object) -> _Error:
    try:
        return msgspec.convert(error, _Error)
    except msgspec.ValidationError:
        return _Error()


# Intercom's ids have 24 characters, and the contact cache keeps one of each contact. Longer text is not an id.
CONTACT_ID_CHARACTERS_MAX = 64
# "Only the message holds the id": "A contact matching those details already exists with id=<24 hex>" (I7)
_CONTACT_ID = re.compile(rf"[0-9a-zA-Z_-]{{1,{CONTACT_ID_CHARACTERS_MAX}}}")
_EXISTING = re.compile(rf"exists with id=([0-9a-zA-Z]{{1,{CONTACT_ID_CHARACTERS_MAX}}})(?![0-9a-zA-Z])")
# 400 parameter_invalid: "Custom attribute 'X' does not exist" (I16)
_ATTRIBUTE = re.compile(r"[Cc]ustom attribute '(.+?)'")
_MISSING = "does not exist"
# How `field` may begin if it names a custom attribute.
_FIELD_PREFIX = "custom_attributes."
# 400 bad_request: "User has been marked for permanent deletion and is not restorable." (I11)
_DELETED = "marked for permanent deletion"
# A proxy, or another server on the way to Intercom, sends these (I6).
_PROXY_STATUSES = frozenset({407, 421, 431})
# Refusals that Intercom may send with an empty body: "The body may also be empty" (I29). It documents no other 4xx, so
# one without errors is another server's, and would end everything that waits.
_MAY_BE_EMPTY = frozenset({400, 404, 405, 406, 410, 413, 415, 422})
# Codes of a 403 that "concerns the token or the plan, not the request" (I30).
ACCESS_CODES = ("token_", "api_plan_restricted")
# "A 404 or 410 on a contact's id means that the contact does not exist any more." (I15)
_MISSING_CONTACT = frozenset({404, 410})
# The codes of Intercom's 409s; `not_restorable`: "the person was blocked" (I10).
_CONFLICTS = frozenset({"conflict", "unique_user_constraint", "not_restorable"})
# What Intercom's envelope of errors begins with, in a body that is not JSON.
_ERRORS = re.compile(rb'^\{\s*"(?:type"\s*:\s*"error\.list|errors"\s*:)')
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_WHITE = b" \t\r\n\0"
_ACCESS_REASONS = {401: "UNAUTHORIZED", 402: "PLAN_RESTRICTED", 403: "FORBIDDEN"}
# 422: "Cannot have more than 120 active event names" (I26)
_EVENT_NAMES = "active event names"

RATE_LIMITED = "RATE_LIMITED"
NETWORK = "NETWORK"
NOT_INTERCOM = "NOT_INTERCOM"
FORBIDDEN = "FORBIDDEN"
ANSWER_UNREADABLE = "ANSWER_UNREADABLE"
DOUBTFUL = frozenset({NOT_INTERCOM, FORBIDDEN})
"""About the connection if several users get such a response, about one call otherwise."""


class Purpose(Enum):
    """Why a call is made: it decides what a refused access means."""

    USER = auto()
    """It performs an operation of a user."""
    ACCESS = auto()
    """It checks the access: if another server responds, nothing else would reach Intercom either."""
    FEATURE = auto()
    """It concerns one feature: a refusal only turns that feature off."""


def classify(call: Call, response: Response, contact_id: str = "") -> Classification:
    """Classifies the response to a call about this contact. The body may be empty, not JSON, or anything.

    Success is what Intercom documents, and nothing else. Otherwise a response of another server (a proxy, a captive
    portal) would end an envelope that Intercom never received.
    """
    rules = CALLS[call]
    classification = _by_status(response.status) or _by_body(rules, response, contact_id)
    if rules.purpose is Purpose.ACCESS and classification.reason == NOT_INTERCOM:
        return Classification(Kind.SUSPENDED, NOT_INTERCOM)
    return classification


def describe_failure(call: Call, classification: Classification, response: Response) -> str:
    """Returns `POST /events: HTTP_503`, or `POST /events: NETWORK (no response in time)`, for example."""
    return f"{call}: {classification.reason}" + (f" ({response.failure})" if response.failure else "")


def _by_body(rules: "CallRules", response: Response, contact_id: str) -> Classification:
    status = response.status
    if not response.body and 200 <= status < 300:
        # Most responses: to an event Intercom responds 202 "with an empty body" (I22).
        return _success(rules, status, _EMPTY_BODY, contact_id)
    data = _without_mark(response.body)
    body = _decoded(data, _Body)
    if body is None and _ERRORS.search(data.replace(b"\0", b"")):
        # Errors that cannot be read, because the body is truncated or in UTF-16.
        body = _Body(errors="")
    html = data.startswith(b"<") or (response.html and data and body is None)
    if html and (status != 403 or rules.purpose is not Purpose.USER):
        # "Intercom itself sends no HTML" (I6): another server sent this. A 403 of one user's call may be a firewall's.
        return Classification(Kind.TRANSIENT, NOT_INTERCOM)
    if 200 <= status < 300:
        return _success(rules, status, body or _Body(), contact_id)
    if status < 400 or status in {423, 425}:
        return Classification(Kind.TRANSIENT, f"HTTP_{status}")
    errors = (body or _Body()).listed()
    if status in {401, 402, 403}:
        return _no_access(rules, status, errors)
    if not response.complete:
        # The missing part may show another cause, or that another server responds.
        return Classification(Kind.TRANSIENT, ANSWER_UNREADABLE)
    empty = not response.body.strip()
    return _client_error(rules, status, errors, read=empty or (body is not None and body.lists_errors))


def _by_status(status: int) -> Classification | None:
    """The classification if the status alone decides; None if the body does."""
    if 200 <= status < 400:
        return None
    if status == 0:
        return Classification(Kind.TRANSIENT, NETWORK)
    if status == 429:
        return Classification(Kind.TRANSIENT, RATE_LIMITED)
    if status in _PROXY_STATUSES:
        return Classification(Kind.SUSPENDED, NOT_INTERCOM)
    if status >= 500 or status == 408:
        # Also with an HTML page: a load balancer's 502 is temporary.
        return Classification(Kind.TRANSIENT, f"HTTP_{status}")
    return None


def _client_error(rules: "CallRules", status: int, errors: list[_Error], *, read: bool) -> Classification:
    """The other 4xx. `read`: whether the body is Intercom's or empty."""
    if not read:
        # Only the body shows what a 409 is about. Another 4xx whose body is not Intercom's is from another server.
        return Classification(Kind.TRANSIENT, ANSWER_UNREADABLE if status == 409 else NOT_INTERCOM)
    if status == 409 and not _CONFLICTS & {error.code for error in errors}:
        return Classification(Kind.TRANSIENT, ANSWER_UNREADABLE)
    if rules.purpose is Purpose.ACCESS and not any(error.code for error in errors):
        # Intercom's refusals have a code. A server in its place may refuse this call with an empty body. If the access
        # counted as granted then, it would refuse every waiting envelope in the same way, and end them all.
        return Classification(Kind.TRANSIENT, NOT_INTERCOM)
    if not errors and (status not in _MAY_BE_EMPTY or (rules.never_missing and status in _MISSING_CONTACT)):
        return Classification(Kind.TRANSIENT, NOT_INTERCOM)
    return _refusal(rules, status, errors)


def _without_mark(data: bytes) -> bytes:
    """The body without white space and a byte order mark before it, and in UTF-16 without the zero bytes there."""
    for mark in _BYTE_ORDER_MARKS:
        data = data.removeprefix(mark)
    return data.strip(_WHITE)


def _success(rules: "CallRules", status: int, body: _Body, contact_id: str) -> Classification:
    """Classifies a 2xx: whether the response is the one that Intercom documents for this call."""
    documented = None
    if status == rules.success_status and not body.refuses:
        documented = rules.success(body, contact_id)
    if documented is not None:
        return documented
    if rules.purpose is Purpose.ACCESS:
        return Classification(Kind.TRANSIENT, NOT_INTERCOM)
    # A 204 or another 2xx that Intercom does not document for this call does not prove success.
    return Classification(Kind.TRANSIENT, ANSWER_UNREADABLE if status == rules.success_status else f"HTTP_{status}")


def _no_access(rules: "CallRules", status: int, errors: list[_Error]) -> Classification:
    reason = _ACCESS_REASONS[status]
    if rules.purpose is Purpose.FEATURE:
        return Classification(Kind.REFUSED, reason)
    ours = any((error.code or "").startswith(ACCESS_CODES) for error in errors)
    if status == 403 and rules.purpose is Purpose.USER and not ours:
        # The request or the token may cause it: `AccessState` decides by `GET /me` and other users' calls.
        return Classification(Kind.TRANSIENT, reason)
    return Classification(Kind.SUSPENDED, reason)


def _refusal(rules: "CallRules", status: int, errors: list[_Error]) -> Classification:
    codes = {error.code for error in errors}
    message = " ".join(error.message or "" for error in errors)
    if "intercom_version_invalid" in codes:
        return Classification(Kind.SUSPENDED, "VERSION_INVALID")
    if "not_restorable" in codes:
        # "This user was blocked and cannot be recreated" (I10)
        return Classification(Kind.REFUSED, "CONTACT_BLOCKED")
    if status in _MISSING_CONTACT and rules.needs_contact:
        return Classification(Kind.RESOLVE, "CONTACT_NOT_FOUND", Hint.NOT_FOUND)
    if status == 409 or "unique_user_constraint" in codes:
        return rules.conflict(message)
    if status == 400:
        return rules.bad_request(errors, message)
    if status == 413:
        return Classification(Kind.REFUSED, "TOO_LARGE")
    if status == 422 and _EVENT_NAMES in message:
        return Classification(Kind.REFUSED, "EVENT_NAMES_EXHAUSTED")
    return _INVALID


_DONE = Classification(Kind.DONE)
_INVALID = Classification(Kind.REFUSED, "REQUEST_INVALID")


def _contact(body: _Body, contact_id: str) -> Classification | None:
    """Classifies a contact. A write that returns no contact is repeated."""
    found = body.id if isinstance(body.id, str) and _CONTACT_ID.fullmatch(body.id) else ""
    if not found or body.type not in {None, "contact"} or (contact_id and found != contact_id):
        return None
    external_id = str(body.external_id) if isinstance(body.external_id, (str, int)) else ""
    return Classification(Kind.DONE, contact_id=found, external_id=external_id)


def _attributes(body: _Body, _: str) -> Classification | None:
    # A list without `data` must not count as an empty one: attributes would be created, or left out.
    return _DONE if bytes(body.data).startswith(b"[") else None


def _conflict_of_create(message: str) -> Classification:
    found = _EXISTING.search(message)
    if not found:
        # Without an id: "Multiple existing users match this email address - must be more specific using user_id" (I9)
        return Classification(Kind.RESOLVE, "IDENTITY_AMBIGUOUS", Hint.AMBIGUOUS)
    # "An archived contact matching those details already exists with id=<24 hex>" (I8)
    hint = Hint.ARCHIVED if "archived" in message[: found.start()] else Hint.EXISTS
    return Classification(Kind.RESOLVE, hint.name, hint, contact_id=found.group(1))


def _conflict_of_update(_: str) -> Classification:
    # The new email or external id belongs to another contact.
    return Classification(Kind.RESOLVE, "IDENTITY_CONFLICT", Hint.CONFLICT)


def _other_conflict(_: str) -> Classification:
    return Classification(Kind.REFUSED, "IDENTITY_AMBIGUOUS")


def _invalid_write(errors: list[_Error], message: str) -> Classification:
    named = _ATTRIBUTE.search(message)
    if named:
        hint = Hint.ATTRIBUTE if _MISSING in message else Hint.VALUE
        return Classification(Kind.RESOLVE, "ATTRIBUTE_REFUSED", hint, attribute=named.group(1))
    fields = (error.field.removeprefix(_FIELD_PREFIX) for error in errors if isinstance(error.field, str))
    field = next(fields, "")
    return Classification(Kind.REFUSED, "REQUEST_INVALID", Hint.VALUE if field else Hint.NONE, attribute=field)


def _invalid_unarchiving(_: list[_Error], message: str) -> Classification:
    return Classification(Kind.REFUSED, "CONTACT_DELETED") if _DELETED in message else _INVALID


def _other_bad_request(_: list[_Error], __: str) -> Classification:
    return _INVALID


class CallRules(NamedTuple):
    """How the responses to one call differ from those to the others."""

    success: Callable[[_Body, str], Classification | None]
    """Classifies a successful body, for a call about the contact of this id; None: Intercom documents another one."""
    success_status: int = 200
    purpose: Purpose = Purpose.USER
    needs_contact: bool = False
    """Whether a 404 or 410 means "that the contact does not exist any more" (I15)."""
    never_missing: bool = False
    """Whether Intercom documents neither 404 nor 410, so that one without errors is another server's."""
    conflict: Callable[[str], Classification] = _other_conflict
    """Classifies a 409 by its message."""
    bad_request: Callable[[list[_Error], str], Classification] = _other_bad_request
    """Classifies a 400 by its errors and their messages."""


CALLS: Mapping[Call, CallRules] = {
    Call.CREATE_CONTACT: CallRules(
        _contact, never_missing=True, conflict=_conflict_of_create, bad_request=_invalid_write
    ),
    Call.UPDATE_CONTACT: CallRules(
        _contact, needs_contact=True, conflict=_conflict_of_update, bad_request=_invalid_write
    ),
    Call.READ_CONTACT: CallRules(_contact, needs_contact=True),
    Call.UNARCHIVE_CONTACT: CallRules(_contact, needs_contact=True, bad_request=_invalid_unarchiving),
    # A 202 (I22) shows success whatever the body, unless it is an HTML page or holds an `errors` list.
    Call.TRACK_EVENT: CallRules(lambda _, __: _DONE, success_status=202, needs_contact=True),
    # "`GET /me` returns {type: "admin", id, email, app}" (I3).
    Call.READ_ME: CallRules(lambda body, _: _DONE if body.type == "admin" else None, purpose=Purpose.ACCESS),
    Call.LIST_ATTRIBUTES: CallRules(_attributes, purpose=Purpose.FEATURE),
    Call.CREATE_ATTRIBUTE: CallRules(lambda body, _: _DONE if body.name else None, purpose=Purpose.FEATURE),
}
