"""Classifies responses: one pure, total function, by status first, then by code, by message only for conflicts."""

import re
from enum import Enum, auto
from typing import TypeVar

import msgspec

from intercomd_daemon.deliver.intercom.messages import Call, Response


class Kind(Enum):
    """What an answer says of the call."""

    DONE = auto()
    RESOLVE = auto()
    """The contact, or an attribute, is not what we took it for; the clue says what to do next."""
    TRANSIENT = auto()
    REFUSED = auto()
    SUSPENDED = auto()
    """Our access is wrong, whatever we send."""


class Hint(Enum):
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


class Classification(msgspec.Struct, frozen=True):
    """The judgement of one answer."""

    kind: Kind
    reason: str = ""
    hint: Hint = Hint.NONE
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
    type: str | None = None
    id: str | int | None = None
    external_id: str | int | None = None
    name: str | None = None
    data: list[msgspec.Raw] | None = None
    errors: list[msgspec.Raw] | None = None

    @property
    def refuses(self) -> bool:
        """Whether this is Intercom's envelope of errors: `{"type":"error.list","errors":[{"code","message"?}]}`."""
        return self.type == "error.list" or self.errors is not None

    def listed(self) -> list[_Error]:
        """The errors, as far as each can be read."""
        return [_decoded(raw, _Error) or _Error() for raw in self.errors or ()]


_Read = TypeVar("_Read")


def _decoded(data: bytes | msgspec.Raw, type_: type[_Read]) -> _Read | None:
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


# Intercom's ids have 24 characters, and the book keeps one of each contact: what is far longer is none.
CONTACT_ID_CHARACTERS_MAX = 64
# "the id stands only in the message": A contact matching those details already exists with id=<24 hex>
_CONTACT_ID = re.compile(rf"[0-9a-zA-Z_-]{{1,{CONTACT_ID_CHARACTERS_MAX}}}")
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
# "POST /events 202: done"; every other call is answered 200.
_SUCCESS = {Call.TRACK_EVENT: 202}
# "407, 421, 431: the way to Intercom is wrong"
_WAY_WRONG = frozenset({407, 421, 431})
# "403 (`token_*`, `api_plan_restricted`): our configuration is wrong"
_OURS = ("token_", "api_plan_restricted")
# The codes of a 409: "409 `conflict`", "`unique_user_constraint`", and "the person was blocked: `not_restorable`".
_CONFLICTS = frozenset({"conflict", "unique_user_constraint", "not_restorable"})
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_WHITE = b" \t\r\n\0"
_ACCESS_REASONS = {401: "UNAUTHORIZED", 402: "PLAN_RESTRICTED", 403: "FORBIDDEN"}
_EVENT_NAMES = "active event names"

RATE_LIMITED = "RATE_LIMITED"
NETWORK = "NETWORK"
NOT_INTERCOM = "NOT_INTERCOM"
FORBIDDEN = "FORBIDDEN"
ANSWER_UNREADABLE = "ANSWER_UNREADABLE"
DOUBTFUL = frozenset({NOT_INTERCOM, FORBIDDEN})
"""Of the connection if several users get such an answer, of one call otherwise."""


def classify(call: Call, response: Response, contact_id: str = "") -> Classification:
    """Classifies the response to a call about this contact. The body may be empty, not JSON, or anything.

    Success is what Intercom documents, and nothing else. Otherwise an answer that another server gave (a proxy, a
    captive portal) would end an envelope that Intercom never saw.
    """
    classification = _classify(call, response, contact_id)
    if call is Call.READ_ME and classification.reason == NOT_INTERCOM:
        # The call that proves access: whatever else would be sent goes the same way.
        return Classification(Kind.SUSPENDED, NOT_INTERCOM)
    return classification


def _classify(call: Call, response: Response, contact_id: str) -> Classification:
    status = response.status
    by_status = _by_status(status)
    if by_status is not None:
        return by_status
    data = _without_mark(response.body)
    body = _decoded(data, _Body)
    html = data.startswith(b"<") or (response.html and data and body is None)
    if html and (status != 403 or call in {Call.READ_ME, *_SIDE_CALLS}):
        # "Any status with an HTML page: another server answers"; a 403 of one user's call may be a firewall's.
        return Classification(Kind.TRANSIENT, NOT_INTERCOM)
    if 200 <= status < 300:
        return _success(call, status, body or _Body(), contact_id)
    if status < 400 or status in {423, 425}:
        return Classification(Kind.TRANSIENT, f"HTTP_{status}")
    errors = (body or _Body()).listed()
    if status in {401, 402, 403}:
        return _no_access(call, status, errors)
    return _client_error(call, status, errors, read=not data or (body is not None and body.refuses))


def _by_status(status: int) -> Classification | None:
    """The classification if the status alone decides; None if the body does."""
    if status == 0:
        return Classification(Kind.TRANSIENT, NETWORK)
    if status == 429:
        return Classification(Kind.TRANSIENT, RATE_LIMITED)
    if status in _WAY_WRONG:
        return Classification(Kind.SUSPENDED, NOT_INTERCOM)
    if status >= 500 or status == 408:
        # Also with an HTML page: a load balancer's 502 heals by itself.
        return Classification(Kind.TRANSIENT, f"HTTP_{status}")
    return None


def _client_error(call: Call, status: int, errors: list[_Error], *, read: bool) -> Classification:
    """The other 4xx. `read`: whether the body is Intercom's or empty."""
    if not read:
        # "409 whose body cannot be read: transient". "Any 4xx whose body is not Intercom's: another server answers".
        return Classification(Kind.TRANSIENT, ANSWER_UNREADABLE if status == 409 else NOT_INTERCOM)
    if status == 409 and not _CONFLICTS & {error.code for error in errors}:
        return Classification(Kind.TRANSIENT, ANSWER_UNREADABLE)
    if status == 404 and call is Call.CREATE_CONTACT and not errors:
        # A strict create has no 404 that is described; an empty one is another server's.
        return Classification(Kind.TRANSIENT, NOT_INTERCOM)
    return _refusal(call, status, errors)


def _without_mark(data: bytes) -> bytes:
    """The body without white space and a byte order mark before it, and in UTF-16 without the zero bytes there."""
    for mark in _BYTE_ORDER_MARKS:
        data = data.removeprefix(mark)
    return data.strip(_WHITE)


def _success(call: Call, status: int, body: _Body, contact_id: str) -> Classification:
    """A status that says it went well: whether the answer is the one that is documented for this call."""
    if status != _SUCCESS.get(call, 200):
        # "204, another 2xx: not what Intercom documents: transient"
        return Classification(Kind.TRANSIENT, NOT_INTERCOM if call is Call.READ_ME else f"HTTP_{status}")
    if body.refuses:
        return Classification(Kind.TRANSIENT, NOT_INTERCOM if call is Call.READ_ME else ANSWER_UNREADABLE)
    if call is Call.TRACK_EVENT:
        # "done, whatever the body, unless it is an HTML page or holds an `errors` list"
        return Classification(Kind.DONE)
    if call is Call.READ_ME:
        # "GET /me -> {type:"admin", id, email, app}"
        return Classification(Kind.DONE) if body.type == "admin" else Classification(Kind.TRANSIENT, NOT_INTERCOM)
    if call in _SIDE_CALLS:
        # A list without `data` must not be taken for an empty one: attributes would be created, or left out.
        known = body.data is not None if call is Call.LIST_ATTRIBUTES else bool(body.name)
        return Classification(Kind.DONE) if known else Classification(Kind.TRANSIENT, ANSWER_UNREADABLE)
    found = body.id if isinstance(body.id, str) and _CONTACT_ID.fullmatch(body.id) else ""
    if not found or body.type not in {None, "contact"} or (contact_id and found != contact_id):
        # "200 for a contact write without a contact: transient: nothing is remembered, the write is repeated"
        return Classification(Kind.TRANSIENT, ANSWER_UNREADABLE)
    external_id = str(body.external_id) if body.external_id is not None else ""
    return Classification(Kind.DONE, contact_id=found, external_id=external_id)


def _no_access(call: Call, status: int, errors: list[_Error]) -> Classification:
    reason = _ACCESS_REASONS[status]
    if call in _SIDE_CALLS:
        return Classification(Kind.REFUSED, reason)
    ours = any((error.code or "").startswith(_OURS) for error in errors)
    if status == 403 and call is not Call.READ_ME and not ours:
        # "403 while GET /me and other users' calls succeed: about this request"; `AccessDoubt` knows whether they do.
        return Classification(Kind.TRANSIENT, reason)
    return Classification(Kind.SUSPENDED, reason)


def _refusal(call: Call, status: int, errors: list[_Error]) -> Classification:
    codes = {error.code for error in errors}
    message = " ".join(error.message or "" for error in errors)
    if "intercom_version_invalid" in codes:
        return Classification(Kind.SUSPENDED, "VERSION_INVALID")
    if "not_restorable" in codes:
        # "This user was blocked and cannot be recreated"
        return Classification(Kind.REFUSED, "CONTACT_BLOCKED")
    if status in {404, 410} and (call in _BY_ID or call is Call.TRACK_EVENT):
        return Classification(Kind.RESOLVE, "CONTACT_NOT_FOUND", Hint.NOT_FOUND)
    if status == 409 or "unique_user_constraint" in codes:
        return _conflict(call, message)
    if status == 400:
        return _bad_request(call, errors, message)
    if status == 413:
        return Classification(Kind.REFUSED, "TOO_LARGE")
    if status == 422 and _EVENT_NAMES in message:
        return Classification(Kind.REFUSED, "EVENT_NAMES_EXHAUSTED")
    return Classification(Kind.REFUSED, "REQUEST_INVALID")


def _bad_request(call: Call, errors: list[_Error], message: str) -> Classification:
    if call is Call.UNARCHIVE_CONTACT and _DELETED in message:
        return Classification(Kind.REFUSED, "CONTACT_DELETED")
    if call not in _CONTACT_WRITES:
        return Classification(Kind.REFUSED, "REQUEST_INVALID")
    named = _ATTRIBUTE.search(message)
    if named:
        hint = Hint.ATTRIBUTE if _MISSING in message else Hint.VALUE
        return Classification(Kind.RESOLVE, "ATTRIBUTE_REFUSED", hint, attribute=named.group(1))
    fields = (error.field.removeprefix(_FIELD_PREFIX) for error in errors if isinstance(error.field, str))
    field = next(fields, "")
    return Classification(Kind.REFUSED, "REQUEST_INVALID", Hint.VALUE if field else Hint.NONE, attribute=field)


def _conflict(call: Call, message: str) -> Classification:
    if call is Call.UPDATE_CONTACT:
        # "May itself 409 when the new email or external_id belongs to another contact"
        return Classification(Kind.RESOLVE, "IDENTITY_CONFLICT", Hint.CONFLICT)
    if call is not Call.CREATE_CONTACT:
        return Classification(Kind.REFUSED, "IDENTITY_AMBIGUOUS")
    found = _EXISTING.search(message)
    if not found:
        # "Multiple existing users match this email address - must be more specific using user_id" (no id)
        return Classification(Kind.RESOLVE, "IDENTITY_AMBIGUOUS", Hint.AMBIGUOUS)
    # "An archived contact matching those details already exists with id=<24 hex>"
    hint = Hint.ARCHIVED if "archived" in message[: found.start()] else Hint.EXISTS
    return Classification(Kind.RESOLVE, hint.name, hint, contact_id=found.group(1))
