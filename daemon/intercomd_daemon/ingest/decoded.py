"""Decoded envelopes: frozen data in the sender's order, not yet trimmed, cut or checked."""

from collections.abc import Collection
from enum import Enum

import msgspec

from intercomd_daemon.envelope import Environment, Finding, Priority, Source, Value


class Unread(Enum):
    """A value that is there, but of a kind that this release does not know."""

    KIND = 0


SentValue = Value | Unread
Attribute = tuple[str, SentValue]


class CustomEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that the sender has a name for."""

    name: str
    attributes: list[Attribute]


class Product(msgspec.Struct, frozen=True, gc=False):
    """One product; amounts and the quantity are decimal text, empty texts and None are not known."""

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
    """Something done with products; `action` is empty where the sender's enum value says nothing to us."""

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
    """Something done with promotions; `action` as in `ProductAction`."""

    action: str
    promotions: list[Promotion]


class ImpressionList(msgspec.Struct, frozen=True, gc=False):
    """One list of products that was shown."""

    name: str
    products: list[Product]


class Impressions(msgspec.Struct, frozen=True, gc=False):
    """Lists of products that were shown."""

    lists: list[ImpressionList]


class CommerceEvent(msgspec.Struct, frozen=True, gc=False):
    """Something about buying."""

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
    """An event of a type that is not for Intercom."""

    type: str


SentEvent = CustomEvent | CommerceEvent | SessionEnd | OtherEvent


class DecodedEnvelope(msgspec.Struct, frozen=True, gc=False):
    """One envelope."""

    envelope_id: str
    """The sender's, or the one that it was given."""
    recognised: bool
    """Whether the same envelope would come with the same id again."""
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
    event: SentEvent | None
    traceparent: str
    encoded: bytes
    """The envelope as protobuf."""
    violations: tuple[Finding, ...] = ()
    """What decoding found that it must not lose."""
    adjustments: tuple[Finding, ...] = ()
    """What decoding left out."""
    named: bool = True
    """Whether the id is the sender's own."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One request, or one message of a stream."""

    envelopes: Collection[DecodedEnvelope]
    """In the sender's order; they may be decoded as they are asked for."""
    size_bytes: int
    sequence: int = 0
    validate_only: bool = False
