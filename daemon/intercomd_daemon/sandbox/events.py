"""Events: their validation, the recognition of repeats, and the limit of event names.

An event never creates a contact: the caller finds its contact first.
"""

from collections import deque
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from intercomd_daemon.sandbox.bodies import MILLISECONDS_FROM, EventBody
from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.http_messages import ErrorResponse, illegal

TRACKED_KEYS_MAX = 10
""""Intercom tracks the first 10 keys in the order sent and ignores the rest without an error"."""
_FOLD = str.maketrans({".": "-", "$": "-"})


class Event(Struct, frozen=True, gc=False):
    """A received event. `metadata` is everything that was sent, in order; `tracked` is what Intercom keeps."""

    name: str
    folded_name: str
    created_at: int
    contact_id: str
    external_id: str | None
    email: str | None
    metadata: dict[str, Any]
    request_id: str
    received_at: float

    @property
    def tracked(self) -> dict[str, Any]:
        """The metadata keys that Intercom tracks."""
        return dict(list(self.metadata.items())[:TRACKED_KEYS_MAX])


def fold(name: str) -> str:
    """Normalizes a name for comparison: "Names are case-insensitive; `.` and `$` become `-`"."""
    return name.translate(_FOLD).lower()


def check(body: EventBody) -> None:
    """Refuses what no workspace accepts: other than exactly one identifier, or metadata that is not flat.

    Raises:
        Refused: 400, illegal.
    """
    if (body.user_id is not UNSET) + (body.email is not UNSET) + (body.id is not UNSET) != 1:
        raise illegal("Exactly one of user_id, email and id is required", code="parameter_not_found")
    if body.metadata is UNSET:
        return
    for key, value in body.metadata.items():
        if "." in key or "$" in key or not key:
            raise illegal(f"Metadata key '{key}' must not be empty or contain . or $", field="metadata")
        if isinstance(value, dict):
            _check_rich(key, value)
        elif key.endswith("_date") and not isinstance(value, str | bool):
            _check_date(key, value)


def _check_rich(key: str, value: dict[str, str | int]) -> None:
    match value:
        case {"url": str(url), "value": str()} if len(value) == 2 and url.startswith(("http://", "https://")):
            return
        case {"amount": int(), "currency": str(currency)} if len(value) == 2 and currency.isalpha():
            # "money `{"amount": <integer cents>, "currency": "USD"}`".
            if len(currency) == 3:
                return
    raise illegal(f"Metadata '{key}' is neither a rich link nor a monetary amount", field="metadata")


def _check_date(key: str, value: float) -> None:
    # "date = key ending in `_date`, Unix seconds".
    if not isinstance(value, int) or abs(value) >= MILLISECONDS_FROM:
        raise illegal(f"Metadata '{key}' must be a time in Unix seconds", field="metadata")


class Events:
    """The newest events and repeats, and the active event names."""

    def __init__(self, *, events_max: int, names_max: int) -> None:
        self._events_max = events_max
        self._names_max = names_max
        self._events: deque[Event] = deque(maxlen=events_max)
        self._repeats: deque[Event] = deque(maxlen=events_max)
        self._known: dict[tuple[str, str, int], None] = {}
        self._names: dict[str, None] = {}
        self.taken = 0
        self.repeated = 0

    def all(self) -> list[Event]:
        """Returns the recorded events, oldest first, without repeats."""
        return list(self._events)

    def repeats(self) -> list[Event]:
        """Returns the recorded repeats, which are answered like other events, oldest first."""
        return list(self._repeats)

    def names(self) -> list[str]:
        """Returns the active event names, normalized, in the order of their first use."""
        return list(self._names)

    def track(self, body: EventBody, contact: Contact, request_id: str, now: float) -> bool:
        """Records a checked event; returns False for a repeat: "workspace + contact's external id + name + created_at".

        "For contacts without an external id the key is unclear": here it is the contact's id.

        Raises:
            Refused: 422 for a new name beyond the limit.
        """
        folded = fold(body.event_name)
        if folded not in self._names:
            if len(self._names) >= self._names_max:
                raise ErrorResponse(422, "data_invalid", f"Cannot have more than {self._names_max} active event names")
            self._names[folded] = None
        metadata = {} if isinstance(body.metadata, msgspec.UnsetType) else body.metadata
        event = Event(
            body.event_name,
            folded,
            body.created_at,
            contact.id,
            contact.external_id,
            contact.email,
            metadata,
            request_id,
            now,
        )
        identity = (contact.external_id or contact.id, folded, body.created_at)
        if identity in self._known:
            self._repeats.append(event)
            self.repeated += 1
            return False
        self._known[identity] = None
        if len(self._known) > self._events_max:
            del self._known[next(iter(self._known))]
        self._events.append(event)
        self.taken += 1
        return True
