"""Converts between text and what dialogues consist of: responses, updates, calls and effects. See `dialogue`."""

import msgspec

from intercomd_daemon.deliver.intercom.messages import Request, Response
from intercomd_daemon.envelope import FIRST_NAME, LAST_NAME, Finding, Scalar
from intercomd_daemon.outcome import Effect

EVENT_TIME = 1_794_999_000
_PARTS = {"$first": FIRST_NAME, "$last": LAST_NAME}
_SHORT = {part: short for short, part in _PARTS.items()}
_ERRORS = {
    "token": ("token_unauthorized", "Not authorized to access resource"),
    "exists": ("conflict", "A contact matching those details already exists with id={}"),
    "archived": ("conflict", "An archived contact matching those details already exists with id={}"),
    "several": ("conflict", "Multiple existing users match this email address - must be more specific using user_id"),
    "taken": ("conflict", "A contact with these details already exists"),
    "blocked": ("not_restorable", "This user was blocked and cannot be recreated"),
    "missing": ("parameter_invalid", "Custom attribute '{}' does not exist"),
    "value": ("parameter_invalid", "Custom attribute '{}' must be one of its options"),
    "deleted": ("bad_request", "User has been marked for permanent deletion and is not restorable."),
    "invalid": ("parameter_invalid", "The parameters are invalid"),
}


def answer_of(words: list[str]) -> Response:
    """Returns a response by its words.

    `202`; `200 c1` or `200 c1 of u2` (a contact, and its external id); `409 exists c1`, `400 missing plan` and so on,
    with Intercom's own texts; `cut` (no response).
    """
    status, *rest = words
    if status == "cut":
        return Response(0, failure="no response in time")
    if not rest:
        return Response(int(status), request_id="r" + status)
    if status == "200":
        contact = {"id": rest[0], "external_id": rest[2] if len(rest) > 1 else None}
        return Response(200, msgspec.json.encode(contact), request_id="r200")
    code, message = _ERRORS[rest[0]]
    error = {"code": code, "message": message.format(*rest[1:])}
    return Response(
        int(status), msgspec.json.encode({"type": "error.list", "errors": [error]}), request_id="r" + status
    )


def update_of(words: str) -> dict[str, Scalar]:
    """`plan=gold seats=3 $first=Ada name=Ada_Lovelace city=null` as an update; an underscore is a space."""
    pairs = (word.partition("=") for word in words.split())
    return {_PARTS.get(name, name): _value(text) for name, _, text in pairs}


def words_of_request(request: Request) -> str:
    """A call and its body: `POST /contacts role=user .plan=gold`; without the time of an envelope's first event."""
    body = msgspec.json.decode(request.body or b"{}")
    custom = body.pop("custom_attributes", {})
    if body.get("created_at") == EVENT_TIME:
        del body["created_at"]
    said = {**body, **{"." + name: value for name, value in custom.items()}}
    return " ".join([request.call.method, request.path, *(f"{name}={_text(value)}" for name, value in said.items())])


def words_of_effect(effect: Effect) -> str:
    """`contact delivered 1`, `Bought dead_lettered EXPIRED 0`: what, how it ended, why, and the calls it took."""
    words = [effect.event_name or "contact", effect.type.name.lower(), effect.reason, str(effect.attempts)]
    return " ".join(word for word in words if word)


def words_of_finding(finding: Finding) -> str:
    """`EMAIL_TAKEN`, `ATTRIBUTE_DROPPED plan`."""
    name = finding.field.removeprefix("user_attributes[").removesuffix("]")
    return finding.reason if name == "identity.email" else f"{finding.reason} {short_name(name)}"


def short_name(name: str) -> str:
    """The name of an attribute, as `update_of` reads it."""
    return _SHORT.get(name, name)


def _value(text: str) -> Scalar:
    try:
        value: Scalar = msgspec.json.decode(text.encode(), type=str | int | float | bool | None)
    except msgspec.DecodeError:
        return text.replace("_", " ")
    return value


def _text(value: object) -> str:
    """A text has no quotation marks, unless it would be taken for another value."""
    bare = value.replace(" ", "_") if isinstance(value, str) else ""
    return bare if bare and _value(bare) == value else msgspec.json.encode(value).decode()
