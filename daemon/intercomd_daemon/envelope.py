"""Domain objects of acceptance: attribute values, events, and the accepted envelope that the spool stores.

Frozen data, independent of protobuf, SQL and Intercom's JSON.
"""

from enum import IntEnum
from typing import NamedTuple

import msgspec

GIVEN_ID_BYTES_MAX = 128 + len("/9999")
"""The longest envelope id, which the daemon assigns: `<request_id>/<index>`."""


class Source(IntEnum):
    """The platform of an envelope; unspecified counts as the server."""

    SERVER = 1
    WEB = 2
    IOS = 3
    ANDROID = 4
    TVOS = 5


class Environment(IntEnum):
    """Whether an envelope comes from production or development; unspecified counts as production."""

    PRODUCTION = 1
    DEVELOPMENT = 2


class Priority(IntEnum):
    """Bulk envelopes are delivered only when no normal one is due; unspecified counts as normal."""

    NORMAL = 1
    BULK = 2


class Time(NamedTuple):
    """A point in time as an attribute's value, in whole Unix seconds."""

    seconds: int


class Money(NamedTuple):
    """An amount as decimal text in major units ("19.99") and an ISO 4217 code."""

    amount: str
    currency_code: str


class Link(NamedTuple):
    """An http or https address and its label."""

    url: str
    label: str


class Tag(NamedTuple):
    """The value of an attribute that is only present or absent: "the user has this"."""


Value = str | int | float | bool | Time | Money | Link | Tag | tuple[str, ...] | None
"""A decoded attribute value; None: the sender set no value."""

Scalar = str | int | float | bool | None
"""An attribute value for Intercom; None clears the attribute."""


class Finding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A violation or an adjustment: a stable UPPER_SNAKE reason, the field's path, and the limit with its remedy."""

    reason: str
    field: str
    message: str


class Refusal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A rejected or skipped envelope, for the trail. Texts are cut."""

    time: float
    """Unix seconds."""
    envelope_id: str
    connection: str
    """The one that the envelope would have gone to; the sender's, if the settings have none of that name."""
    customer_id: str
    email: str
    disposition: int
    """3: skipped, 4: rejected, as in ingest.proto."""
    violations: tuple[Finding, ...]
    event_name: str
    """Of a custom event; empty for others."""
    caller: str = ""
    number: int = 0
    """The position among all refusals; 0 until the spool has given one."""


class UpdateContact(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Write attributes to the contact; a missing contact is created."""

    attributes: dict[str, Scalar]
    """By Intercom's name, in the sender's order; `FIRST_NAME` and `LAST_NAME` are parts of `name`. Empty: only the
    email beside the customer id is written."""
    times: tuple[str, ...] = ()
    """Custom attributes that the sender sent as a `Timestamp`; their values are whole Unix seconds."""


class TrackEvent(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """Track an event. The metadata are JSON text already, so that no digit of a number is lost."""

    name: str
    created_at: int
    """Unix seconds."""
    metadata: bytes


Operation = UpdateContact | TrackEvent
"""What an envelope does at Intercom. The tag of a kind is on disk: never reuse one."""


class AcceptedEnvelope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An accepted envelope as the spool stores it.

    Later changes of settings do not affect it. Add new fields at the end, with a default: the previous release must be
    able to read the records of this one.
    """

    envelope_id: str
    customer_id: str
    """Trimmed; empty if the sender named none."""
    email: str
    """Trimmed, in lower case; empty if the sender named none."""
    accept_time: float
    """Unix seconds."""
    operations: tuple[Operation, ...]
    """In the order in which they are performed. A refused operation does not stop the later ones."""
    adjustments: tuple[Finding, ...]
    traceparent: str
    source: bytes
    """The sender's protobuf `Envelope`, unchanged, for dead letters and exports."""
    replay: int = 0
    """The number of replays; a replay holds only the refused operations."""
    origin: int = 0
    """For a replay: the position of the first acceptance, so that an old value never overwrites a newer one."""
    caller: str = ""
    """The caller that published it, by its name in the settings; empty: no credential was needed."""

    @property
    def events(self) -> tuple[TrackEvent, ...]:
        """The events among the operations: all but the update, which comes first."""
        operations = self.operations
        if operations and type(operations[0]) is UpdateContact:
            operations = operations[1:]
        return operations  # type: ignore[return-value]  # there is at most one update

    @property
    def contact_update(self) -> UpdateContact | None:
        """The update of the contact among the operations; there is at most one."""
        for operation in self.operations:
            if isinstance(operation, UpdateContact):
                return operation
        return None


def operations_of(
    customer_id: str,
    email: str,
    attributes: dict[str, Scalar],
    events: tuple[TrackEvent, ...],
    times: tuple[str, ...] = (),
) -> tuple[Operation, ...]:
    """Returns the operations of an envelope: the user is updated before the user's events.

    An email beside a customer id is written to the contact too, if the connection's settings say so at delivery.
    """
    if attributes or (customer_id and email):
        return (UpdateContact(attributes, times), *events)
    return events


def replace_events(operations: tuple[Operation, ...], events: tuple[TrackEvent, ...]) -> tuple[Operation, ...]:
    """Returns the operations, with their events replaced by these, in order."""
    remaining = iter(events)
    return tuple(next(remaining) if isinstance(operation, TrackEvent) else operation for operation in operations)


FIRST_NAME = "$first_name"
LAST_NAME = "$last_name"
# Intercom's own contact fields that a user attribute may address; every other name is a custom attribute.
# "Writable: role, external_id, email, phone, name, avatar (URL), signed_up_at, last_seen_at (Unix seconds), owner_id,
# unsubscribed_from_emails, custom_attributes": identity and role are not attributes here.
CONTACT_FIELDS = frozenset(
    {"name", "phone", "avatar", "signed_up_at", "last_seen_at", "owner_id", "unsubscribed_from_emails"}
)


def lane_of(customer_id: str, email: str) -> str:
    """Returns the lane of a user, by the customer id, or by the email if there is no customer id."""
    return "c:" + customer_id if customer_id else "e:" + email


def user_of(lane: str) -> tuple[str, str]:
    """Returns the customer id and the email of a lane: the inverse of `lane_of`; one of the two is empty."""
    kind, name = lane[:2], lane[2:]
    return (name, "") if kind == "c:" else ("", name)
