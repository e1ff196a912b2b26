"""Computes what senders publish while a daemon is killed and what Intercom must hold, from names alone.

An envelope is made from its user and number. So what must arrive never depends on what the daemon reports.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from intercomd.v1.envelope_pb2 import Envelope, Priority
from intercomd.v1.event_pb2 import CommerceEvent, OtherEvent, Product, ProductAction, ProductActionType
from intercomd.v1.ingest_pb2 import Disposition
from senders.client import envelope

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
SKIPPED = Disposition.DISPOSITION_SKIPPED
REJECTED = Disposition.DISPOSITION_REJECTED

SPACING_SECONDS = 5
"""Between a user's envelopes: more than the events that one of them becomes."""
NEVER = "Never"
"""The event of envelopes that are rejected."""
SECOND = "second"
"""The connection of some users; the others' is the default one."""
KINDS = 10
"""Envelopes of a user after which their kinds repeat."""

Arrival = tuple[str, int, dict[str, Any]]
"""An event's name, seconds after noon, and metadata."""


@dataclass(frozen=True, slots=True)
class User:
    """One of `era`; those of another era are other people."""

    era: int
    number: int

    @property
    def customer_id(self) -> str:
        """Empty for those who are known by email alone."""
        return "" if self.number % 6 in {1, 5} else f"user-{self.era}-{self.number}"

    @property
    def email(self) -> str:
        """Empty for those who are known by customer id alone."""
        return "" if self.number % 6 in {0, 3} else f"user-{self.era}-{self.number}@example.org"

    @property
    def name(self) -> str:
        """What tells one from all others: the customer id, or else the email."""
        return self.customer_id or self.email

    @property
    def connection(self) -> str:
        """Empty for the default one."""
        return SECOND if self.number % 4 == 1 else ""

    @property
    def beforehand(self) -> dict[str, str] | None:
        """The contact that Intercom has of them before anything is sent, so that creating it is a conflict."""
        match self.number % 6:
            case 3:
                return {"external_id": self.customer_id}
            case 4 | 5:
                return {"email": self.email}
        return None

    def envelope_id(self, number: int) -> str:
        """The id of the envelope of this number."""
        return f"{self.era}/{self.number}/{number}"


def disposition(number: int) -> Disposition:
    """What the daemon must say of an envelope of this number when it sees it first."""
    match number % KINDS:
        case 4:
            return REJECTED
        case 9:
            return SKIPPED
    return ACCEPTED


def made(user: User, number: int) -> Envelope:
    """The envelope of this number: updates, events, both, a purchase, bulk, one to refuse, one without an identity."""
    fields: dict[str, Any] = {"email": user.email, "envelope_id": user.envelope_id(number)}
    fields |= {"connection": user.connection, "at": number * SPACING_SECONDS}
    happened = {"metadata": {"n": number}} | fields
    match number % KINDS:
        case 0:
            return envelope(user.customer_id, update=_said(user, number), **fields)
        case 1 | 8:
            return envelope(user.customer_id, "Step", update=_said(user, number), **happened)
        case 2:
            bought = envelope(user.customer_id, "Step", **fields)
            bought.commerce_event.CopyFrom(_purchase(number))
            return bought
        case 4:
            return envelope(user.customer_id, NEVER, **happened | {"email": "invalid"})
        case 5:
            update = {"step": number}
            return envelope(user.customer_id, "Step", update=update, removed_user_attributes=["text"], **happened)
        case 6:
            return envelope(user.customer_id, "Later", priority=Priority.PRIORITY_BULK, **happened)
        case 9:
            return envelope(user.customer_id, other_event=OtherEvent(type=NEVER), **fields)
    return envelope(user.customer_id, "Step", **happened)


def _said(user: User, number: int) -> dict[str, Any]:
    return {"step": number, "text": f"text {number} of {user.number}"}


def _purchase(number: int) -> CommerceEvent:
    products = [Product(id=f"{number}-{place}") for place in range(2)]
    action = ProductActionType.PRODUCT_ACTION_TYPE_PURCHASE
    return CommerceEvent(product_action=ProductAction(action=action, products=products, total_amount=f"{number}.50"))


def is_bulk(number: int) -> bool:
    """Whether an envelope of this number leaves when nothing normal is due, so that its order is one of its own."""
    return number % KINDS == 6


def arrivals(number: int) -> Iterator[Arrival]:
    """The events that an envelope of this number has to become, in order."""
    at = number * SPACING_SECONDS
    match number % KINDS:
        case 1 | 3 | 5 | 7 | 8:
            yield "Step", at, {"n": number}
        case 2:
            for place in range(2):
                yield "eCommerce - purchase - Item", at + place, {"Id": f"{number}-{place}"}
            total = {"Total Amount": number + 0.5, "Currency Code": "USD", "Product Count": 2}
            yield "eCommerce - purchase - Total", at + 2, total
        case 6:
            yield "Later", at, {"n": number}


def number_of(at_seconds: int) -> int:
    """The number of the envelope whose event has this time, in seconds after noon."""
    return at_seconds // SPACING_SECONDS


def held(user: User, count: int) -> dict[str, Any]:
    """The custom attributes that a contact has to have after the envelopes of all numbers below `count`."""
    attributes: dict[str, Any] = {}
    for number in range(max(0, count - KINDS), count):  # the last of each kind
        match number % KINDS:
            case 0 | 1 | 8:
                attributes |= _said(user, number)
            case 5:
                attributes["step"] = number
                attributes.pop("text", None)
    return attributes
