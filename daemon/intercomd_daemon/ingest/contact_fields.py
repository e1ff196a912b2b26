"""Intercom's own contact fields as user attributes address them: each has a type, and a value of another is converted.

"Writable: role, external_id, email, phone, name, avatar (URL), signed_up_at, last_seen_at (Unix seconds), owner_id,
unsubscribed_from_emails": one wrong value would refuse the whole update, so what cannot be converted is left out.
"""

from collections.abc import Callable

from intercomd_daemon.conversion import to_boolean, to_seconds
from intercomd_daemon.envelope import Scalar
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.values import ABSOLUTE_LINK

_OWNER_ID_MAX = 2**63 - 1


def field_value(name: str, value: Scalar, path: str, found: Findings) -> Scalar:
    """The value as the field takes it; None where it is none for this field, which is among the findings then."""
    convert, wanted = _FIELDS.get(name, _TEXT)
    converted = convert(value)
    if converted is None:
        message = f"{name.lstrip('$')} is Intercom's own field, and {wanted}: the value was left out"
        found.adjust("ATTRIBUTE_DROPPED", f"{path}.value", message)
    elif converted != value or type(converted) is not type(value):
        message = f"{name.lstrip('$')} is Intercom's own field, and {wanted}: the value was converted"
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


_TEXT: tuple[Callable[[Scalar], Scalar], str] = (_text, "takes text")
_FIELDS: dict[str, tuple[Callable[[Scalar], Scalar], str]] = {
    "avatar": (_address, "takes an absolute http or https address"),
    "signed_up_at": (to_seconds, "takes a time in Unix seconds"),
    "last_seen_at": (to_seconds, "takes a time in Unix seconds"),
    "owner_id": (_owner, "takes the id of a teammate, a whole number"),
    "unsubscribed_from_emails": (to_boolean, "takes true or false"),
}
