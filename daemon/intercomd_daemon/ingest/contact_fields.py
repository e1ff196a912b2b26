"""Converts user attributes that address Intercom's own contact fields to the types of these fields.

"Writable: role, external_id, email, phone, name, avatar (URL), signed_up_at, last_seen_at (Unix seconds), owner_id,
unsubscribed_from_emails": one invalid value would refuse the whole update, so a value that cannot be converted is
dropped.
"""

from collections.abc import Callable

from intercomd_daemon.conversion import to_boolean, to_seconds
from intercomd_daemon.envelope import Scalar
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.values import ABSOLUTE_LINK

_OWNER_ID_MAX = 2**63 - 1


def field_value(name: str, value: Scalar, path: str, found: Findings) -> Scalar:
    """Returns the value in the field's type; None, with a finding, if it cannot be converted."""
    convert, expected = _FIELDS.get(name, _TEXT)
    converted = convert(value)
    if converted is None:
        message = f"invalid {name.lstrip('$')} {quoted(str(value))}: expected {expected}; dropped it"
        found.adjust("ATTRIBUTE_DROPPED", f"{path}.value", message)
    elif converted != value or type(converted) is not type(value):
        message = (
            f"Intercom's field {name.lstrip('$')} is {expected}: {quoted(str(value))} became {quoted(str(converted))}"
        )
        found.adjust("VALUE_CONVERTED", f"{path}.value", message)
    return converted


def _text(value: Scalar) -> str | None:
    if isinstance(value, str):
        return value
    return None if isinstance(value, bool) else str(value)


def _address(value: Scalar) -> str | None:
    return value if isinstance(value, str) and ABSOLUTE_LINK.fullmatch(value) else None


def _whole(value: Scalar) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        bare = value.strip()
        return int(bare) if bare.isascii() and bare.isdigit() and len(bare) <= len(str(_OWNER_ID_MAX)) else None
    return value if isinstance(value, int) else int(value or 0)


def _owner(value: Scalar) -> int | None:
    whole = _whole(value)
    if whole is None or (whole != value and not isinstance(value, str)):
        return None
    return whole if 0 <= whole <= _OWNER_ID_MAX else None


_TEXT: tuple[Callable[[Scalar], Scalar], str] = (_text, "text")
_FIELDS: dict[str, tuple[Callable[[Scalar], Scalar], str]] = {
    "avatar": (_address, "an absolute http or https address"),
    "signed_up_at": (to_seconds, "a time in Unix seconds"),
    "last_seen_at": (to_seconds, "a time in Unix seconds"),
    "owner_id": (_owner, "the id of a teammate, a whole number"),
    "unsubscribed_from_emails": (to_boolean, "true or false"),
}
