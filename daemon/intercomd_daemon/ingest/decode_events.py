"""Decodes events: each kind to its domain object, enum numbers to the names that Intercom gets."""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from intercomd.v1.attribute_pb2 import Attribute as AttributeMessage
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CommerceEvent as CommerceMessage
from intercomd.v1.event_pb2 import ImpressionList as ImpressionListMessage
from intercomd.v1.event_pb2 import OtherEvent as OtherEventMessage
from intercomd.v1.event_pb2 import Product as ProductMessage
from intercomd.v1.event_pb2 import ProductAction as ProductActionMessage
from intercomd.v1.event_pb2 import PromotionAction as PromotionActionMessage
from intercomd.v1.event_pb2 import SessionEndEvent
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decode_attributes import decode_attributes
from intercomd_daemon.ingest.decoded import (
    Attribute,
    CommerceEvent,
    CustomEvent,
    DecodedEvent,
    ImpressionList,
    Impressions,
    OtherEvent,
    Product,
    ProductAction,
    Promotion,
    PromotionAction,
    SessionEnd,
)
from intercomd_daemon.ingest.limits import EVENT_ATTRIBUTES_READ_MAX, PRODUCTS_MAX

_NANOSECONDS = 1_000_000_000
_PRODUCTS_READ_MAX = PRODUCTS_MAX + 1
"""One above the limit shows the later check that there were too many."""
_PRODUCT_ACTIONS = {
    0: "",
    1: "add_to_cart",
    2: "remove_from_cart",
    3: "checkout",
    4: "checkout_option",
    5: "click",
    6: "view_detail",
    7: "purchase",
    8: "refund",
    9: "add_to_wishlist",
    10: "remove_from_wishlist",
}
_PROMOTION_ACTIONS = {0: "", 1: "view", 2: "click"}
CUSTOM_EVENT_TYPES = frozenset(range(11))


def decode_event(message: Envelope, findings: list[Finding]) -> DecodedEvent | None:
    """Returns the envelope's event, or None; adds a finding for each enum number that this release does not know."""
    kind = message.WhichOneof("event")
    if kind == "custom_event":
        custom = message.custom_event
        if custom.type not in CUSTOM_EVENT_TYPES:
            findings.append(unknown_number("custom_event.type", custom.type))
        return CustomEvent(custom.name, _attributes(custom.attributes, "custom_event", findings))
    return _OTHER_KINDS[kind][1](getattr(message, kind), findings) if kind else None


def decode_encoded_event(kind: str, encoded: bytes) -> DecodedEvent | None:
    """Returns an event of another kind than a custom event; `kind` is the name of its field.

    None: it is not in protobuf's canonical encoding, or has something to report.
    """
    message_class, decode = _OTHER_KINDS[kind]
    try:
        message = message_class.FromString(encoded)
    except DecodeError:
        return None
    message.DiscardUnknownFields()
    findings: list[Finding] = []
    event = decode(message, findings) if message.ByteSize() == len(encoded) else None
    return None if findings else event


def _attributes(messages: Sequence[AttributeMessage], path: str, findings: list[Finding]) -> list[Attribute]:
    return decode_attributes(messages, EVENT_ATTRIBUTES_READ_MAX, f"{path}.attributes", findings) if messages else []


def unknown_number(path: str, number: int) -> Finding:
    """Returns the finding about an enum's number that this release does not know."""
    return Finding("FIELD_IGNORED", path, f"unknown enum number {number}: treated as not set; upgrade the daemon")


def _commerce(message: CommerceMessage, findings: list[Finding]) -> CommerceEvent:
    action: ProductAction | PromotionAction | Impressions | None = None
    kind = message.WhichOneof("action")
    if kind == "product_action":
        action = _product_action(message.product_action, findings)
    elif kind == "promotion_action":
        action = _promotion_action(message.promotion_action, findings)
    elif kind:
        action = _impressions(message.impressions.lists, findings)
    own = _attributes(message.attributes, "commerce_event", findings)
    return CommerceEvent(action, message.currency_code, message.screen_name, own)


def _impressions(messages: Sequence[ImpressionListMessage], findings: list[Finding]) -> Impressions:
    lists = []
    for index, message in enumerate(messages[:_PRODUCTS_READ_MAX]):
        path = f"commerce_event.impressions.lists[{index}].products"
        lists.append(ImpressionList(message.name, _products(message.products, path, findings)))
    return Impressions(lists)


def _promotion_action(message: PromotionActionMessage, findings: list[Finding]) -> PromotionAction:
    name = _PROMOTION_ACTIONS.get(message.action)
    if name is None:
        findings.append(unknown_number("commerce_event.promotion_action.action", message.action))
    promotions = [
        Promotion(promotion.id, promotion.name, promotion.creative, promotion.position)
        for promotion in message.promotions[:_PRODUCTS_READ_MAX]
    ]
    return PromotionAction(name or "", promotions)


def _product_action(message: ProductActionMessage, findings: list[Finding]) -> ProductAction:
    name = _PRODUCT_ACTIONS.get(message.action)
    if name is None:
        findings.append(unknown_number("commerce_event.product_action.action", message.action))
    return ProductAction(
        action=name or "",
        products=_products(message.products, "commerce_event.product_action.products", findings),
        transaction_id=message.transaction_id,
        affiliation=message.affiliation,
        total_amount=message.total_amount,
        tax_amount=message.tax_amount,
        shipping_amount=message.shipping_amount,
        coupon_code=message.coupon_code,
        product_action_list=message.product_action_list,
        product_list_source=message.product_list_source,
        checkout_step=message.checkout_step if message.HasField("checkout_step") else None,
        checkout_options=message.checkout_options,
        other_action=message.other_action,
    )


def _products(messages: Sequence[ProductMessage], path: str, findings: list[Finding]) -> list[Product]:
    return [
        Product(
            id=message.id,
            name=message.name,
            brand=message.brand,
            category=message.category,
            variant=message.variant,
            position=message.position if message.HasField("position") else None,
            price=message.price,
            quantity=message.quantity,
            coupon_code=message.coupon_code,
            total_product_amount=message.total_product_amount,
            attributes=_attributes(message.attributes, f"{path}[{index}]", findings),
        )
        for index, message in enumerate(messages[:_PRODUCTS_READ_MAX])
    ]


def _session_end(message: SessionEndEvent, findings: list[Finding]) -> SessionEnd:
    duration = message.duration
    nanoseconds = duration.seconds * _NANOSECONDS + duration.nanos if message.HasField("duration") else None
    return SessionEnd(message.session_id, nanoseconds, _attributes(message.attributes, "session_end_event", findings))


def _other(message: OtherEventMessage, _findings: list[Finding]) -> OtherEvent:
    return OtherEvent(message.type)


_OTHER_KINDS: dict[str, tuple[type[Any], Callable[[Any, list[Finding]], DecodedEvent]]] = {
    "commerce_event": (CommerceMessage, _commerce),
    "session_end_event": (SessionEndEvent, _session_end),
    "other_event": (OtherEventMessage, _other),
}
