"""Decoded envelopes: frozen data in the sender's order, not yet validated, trimmed or cut."""

from collections.abc import Collection
from enum import Enum

import msgspec

from intercomd_daemon.envelope import Environment, Finding, Priority, Source, Value


class UnknownValue(Enum):
    """A value of a kind that this release does not know."""

    KIND = 0


DecodedValue = Value | UnknownValue
Attribute = tuple[str, DecodedValue]
"""Name and value."""


class UnchangedAttributes(list[Attribute]):
    """Attributes that are known to need no normalization."""


class CustomEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with a name of the sender's choice."""

    name: str
    attributes: list[Attribute]


class Product(msgspec.Struct, frozen=True, gc=False):
    """One product; amounts and the quantity are decimal text. Empty text and None mean not set."""

    id: str
    name: str
    brand: str
    category: str
    variant: str
    position: int | None
    price: str
    quantity: str
    coupon_code: str
    total_product_amount: str
    attributes: list[Attribute]


class ProductAction(msgspec.Struct, frozen=True, gc=False):
    """An action on products; `action` is empty if the enum is not set or its number is unknown."""

    action: str
    products: list[Product]
    transaction_id: str
    affiliation: str
    total_amount: str
    tax_amount: str
    shipping_amount: str
    coupon_code: str
    product_action_list: str
    product_list_source: str
    checkout_step: int | None
    checkout_options: str
    other_action: str


class Promotion(msgspec.Struct, frozen=True, gc=False):
    """One promotion."""

    id: str
    name: str
    creative: str
    position: str


class PromotionAction(msgspec.Struct, frozen=True, gc=False):
    """An action on promotions; `action` as in `ProductAction`."""

    action: str
    promotions: list[Promotion]


class ImpressionList(msgspec.Struct, frozen=True, gc=False):
    """One list of products that the user was shown."""

    name: str
    products: list[Product]


class Impressions(msgspec.Struct, frozen=True, gc=False):
    """The lists of products that the user was shown."""

    lists: list[ImpressionList]


class CommerceEvent(msgspec.Struct, frozen=True, gc=False):
    """A commerce event: at most one action, and the sender's own attributes."""

    action: ProductAction | PromotionAction | Impressions | None
    currency_code: str
    screen_name: str
    attributes: list[Attribute]


class SessionEnd(msgspec.Struct, frozen=True, gc=False):
    """The end of a session."""

    session_id: str
    duration_nanoseconds: int | None
    attributes: list[Attribute]


class OtherEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of a type that is not forwarded to Intercom."""

    type: str


DecodedEvent = CustomEvent | CommerceEvent | SessionEnd | OtherEvent


class DecodedEnvelope(msgspec.Struct, frozen=True, gc=False):
    """One envelope."""

    envelope_id: str
    """The sender's, or the one that decoding gave it."""
    recognised: bool
    """Whether a repeat of the envelope has the same id, so that it can be recognised as a duplicate."""
    connection: str
    customer_id: str
    email: str
    source: Source
    event_time: int | None
    """Unix seconds, fractions cut."""
    user_attributes: list[Attribute]
    removed_user_attributes: list[str]
    environment: Environment
    priority: Priority
    event: DecodedEvent | None
    traceparent: str
    encoded: bytes
    """The envelope as protobuf."""
    violations: tuple[Finding, ...] = ()
    """Unknown fields that may change the meaning, and an envelope that is too large."""
    adjustments: tuple[Finding, ...] = ()
    """What decoding dropped."""
    has_own_id: bool = True
    """Whether the sender set `envelope_id`, which then has a limit of its own; an agent may have set it."""


class Forwarder(msgspec.Struct, frozen=True, gc=False):
    """The daemon that forwards a request."""

    agent_id: str
    sequence: int
    """The same for a repeat of the request, larger for the next one."""
    spool_id: str = ""
    """The spool that it expects; empty: any."""


class DecodedRequest(msgspec.Struct, frozen=True, gc=False):
    """One request, or one message of a stream."""

    envelopes: Collection[DecodedEnvelope]
    """In the sender's order; each may be decoded when the iteration reaches it, which may raise RequestRefused."""
    size_bytes: int
    sequence: int = 0
    validate_only: bool = False
    forwarder: Forwarder | None = None
    """None: the request comes from a sender."""
