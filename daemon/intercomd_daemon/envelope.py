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


class Event(msgspec.Struct, frozen=True, array_like=True):
    """An event as Intercom gets it. The metadata are JSON text already, so that no digit of a number is lost."""

    name: str
    created_at: int
    metadata: bytes


class AcceptedEnvelope(msgspec.Struct, frozen=True, array_like=True):
    """An accepted envelope as the spool stores it: a fixed list of calls, at most one update and then the events.

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
    update: dict[str, Scalar]
    """Attributes by Intercom's name, in the sender's order; `FIRST_NAME` and `LAST_NAME` are parts of `name`."""
    events: tuple[Event, ...]
    adjustments: tuple[Finding, ...]
    traceparent: str
    source: bytes
    """The sender's protobuf `Envelope`, unchanged, for dead letters and exports."""
    replay: int = 0
    """The number of replays; a replay holds only the refused calls."""
    origin: int = 0
    """For a replay: the position of the first acceptance, so that an old value never overwrites a newer one."""
    times: tuple[str, ...] = ()
    """Custom attributes of `update` that the sender sent as a `Timestamp`; their values are whole Unix seconds."""


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
