"""The nouns of the way in: what a sender hands over, and what was accepted of it.

Frozen data, no behaviour beyond naming a lane. Nothing here knows protobuf, SQL or Intercom's JSON.
"""

from enum import IntEnum
from typing import NamedTuple

import msgspec

GIVEN_ID_BYTES_MAX = 128 + len("/9999")
"""The longest envelope id: one that the daemon gives, `<request_id>/<index>`."""


class Source(IntEnum):
    """Where the envelope was made; unspecified counts as the server."""

    SERVER = 1
    WEB = 2
    IOS = 3
    ANDROID = 4
    TVOS = 5


class Environment(IntEnum):
    """Whether the envelope is of real users; unspecified counts as production."""

    PRODUCTION = 1
    DEVELOPMENT = 2


class Priority(IntEnum):
    """Bulk leaves only when nothing normal is due; unspecified counts as normal."""

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
    """The value of an attribute that only says "the user has this"."""


Value = str | int | float | bool | Time | Money | Link | Tag | tuple[str, ...] | None
"""What an attribute may hold as decoded; None: the sender set no value."""

Scalar = str | int | float | bool | None
"""What Intercom takes as an attribute's value; None clears it."""


class Note(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A violation or an adjustment: a stable UPPER_SNAKE reason, the field's path, and the limit with its remedy."""

    reason: str
    field: str
    message: str


class Event(msgspec.Struct, frozen=True, array_like=True):
    """An event exactly as Intercom will get it; the metadata are JSON text already, so no digit is lost on the way."""

    name: str
    created_at: int
    metadata: bytes


class AcceptedEnvelope(msgspec.Struct, frozen=True, array_like=True):
    """What the spool keeps of an accepted envelope: a fixed list of calls, at most one update and then the events.

    Later settings change nothing in it. New fields go to the end, with a default: the predecessor of a release
    must read what it writes.
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
    adjustments: tuple[Note, ...]
    traceparent: str
    source: bytes
    """The sender's envelope as it came (a protobuf `Envelope`), for those who look at dead letters and exports."""
    replay: int = 0
    """How often it has been replayed; a replay holds only the calls that were refused."""
    origin: int = 0
    """For a replay: the position of the first acceptance, so that an older value never overwrites a newer one."""
    times: tuple[str, ...] = ()
    """The custom attributes of `update` whose value the sender typed as a point in time, in whole Unix seconds."""


FIRST_NAME = "$first_name"
LAST_NAME = "$last_name"
# Intercom's own contact fields that a user attribute may address; every other name is a custom attribute.
# "Writable: role, external_id, email, phone, name, avatar (URL), signed_up_at, last_seen_at (Unix seconds), owner_id,
# unsubscribed_from_emails, custom_attributes": identity and role are not attributes here.
CONTACT_FIELDS = frozenset(
    {"name", "phone", "avatar", "signed_up_at", "last_seen_at", "owner_id", "unsubscribed_from_emails"}
)


def lane_of(customer_id: str, email: str) -> str:
    """Names the ordered queue of one user: the customer id, or the email where there is none."""
    return "c:" + customer_id if customer_id else "e:" + email


def user_of(lane: str) -> tuple[str, str]:
    """The customer id and the email that `lane_of` made a lane's name of: one of the two, the other empty."""
    kind, name = lane[:2], lane[2:]
    return (name, "") if kind == "c:" else ("", name)
