"""Expands commerce events to the events that Intercom gets, named as the platform's other partners receive them.

Expanded: one per product, promotion or impression, and a total of purchases and refunds. Summary: one with the totals.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.conversion import rfc3339
from intercomd_daemon.envelope import Finding, Source, TrackEvent
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.amounts import currency_of, decimal_of, invalid_amount, unknown_currency
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import (
    CommerceEvent,
    Impressions,
    Product,
    ProductAction,
    Promotion,
    PromotionAction,
)
from intercomd_daemon.ingest.limits import EVENT_NAME_CHARACTERS_MAX, EXPANDED_BYTES_MAX, PRODUCTS_MAX
from intercomd_daemon.ingest.metadata import Metadata, compose_metadata, normalize_attributes
from intercomd_daemon.ingest.names import normalize_event_name
from intercomd_daemon.ingest.values import Json, text

_PATH = "commerce_event"
_ACTIONS_WITH_TOTAL = frozenset({"purchase", "refund"})
# Senders use both spellings.
_ALIASES = {"remove_from_wish_list": "remove_from_wishlist"}
_UNKNOWN_ACTION = "unknown"
_DEFAULT_CURRENCY = "USD"


class _Field(NamedTuple):
    """A metadata name that Intercom gets, the field that it is read from, and its conversion."""

    name: str
    field: str
    convert: Callable[[Any, str, Findings], Json]


def _amount(value: str, path: str, found: Findings) -> Decimal | None:
    amount = decimal_of(value)
    if amount is None:
        found.reject("INVALID_AMOUNT", path, invalid_amount(value))
    return amount


def _whole(value: int, _path: str, _found: Findings) -> int:
    return value


# Names and order are those that the platform's partners receive. The order is the priority where a limit cuts.
_TOTAL_ORDER = (
    "Transaction Id",
    "Total Amount",
    "Currency Code",
    "Product Count",
    "Coupon Code",
    "Tax Amount",
    "Shipping Amount",
    "Affiliation",
    "Checkout Step",
    "Checkout Options",
    "Product Action List",
    "Product List Source",
)
_ACTION_FIELDS = (
    _Field("Transaction Id", "transaction_id", text),
    _Field("Total Amount", "total_amount", _amount),
    _Field("Coupon Code", "coupon_code", text),
    _Field("Tax Amount", "tax_amount", _amount),
    _Field("Shipping Amount", "shipping_amount", _amount),
    _Field("Affiliation", "affiliation", text),
    _Field("Checkout Step", "checkout_step", _whole),
    _Field("Checkout Options", "checkout_options", text),
    _Field("Product Action List", "product_action_list", text),
    _Field("Product List Source", "product_list_source", text),
)
_ITEM_FIELDS = (
    _Field("Id", "id", text),
    _Field("Name", "name", text),
    _Field("Item Price", "price", _amount),
    _Field("Quantity", "quantity", _amount),
    _Field("Total Product Amount", "total_product_amount", _amount),
    _Field("Category", "category", text),
    _Field("Brand", "brand", text),
    _Field("Variant", "variant", text),
    _Field("Position", "position", _whole),
    _Field("Coupon Code", "coupon_code", text),
)
_PROMOTION_FIELDS = (
    _Field("Id", "id", text),
    _Field("Name", "name", text),
    _Field("Creative", "creative", text),
    _Field("Position", "position", text),
)


class _Draft(NamedTuple):
    """An event before encoding."""

    name: str
    ours: Metadata
    """The metadata that the daemon reads from the event's fields."""
    own: Sequence[Metadata]
    """The sender's attributes in groups, the most specific first."""
    path: str


def commerce_skip(source: Source, rules: ConnectionSettings) -> Finding | None:
    """Returns the reason to skip a valid commerce event; None if it is sent."""
    if source is Source.WEB and not rules.commerce_from_web:
        message = "commerce events from SOURCE_WEB are off: send them from a server, or set commerce_from_web"
        return Finding("COMMERCE_FROM_WEB", _PATH, message)
    if rules.commerce == "off":
        message = 'commerce events are off for the connection: set commerce = "expanded" or "summary"'
        return Finding("EVENT_TYPE_OFF", _PATH, message)
    return None


def commerce_events(
    event: CommerceEvent, created_at: int, latest: int, rules: ConnectionSettings, found: Findings
) -> tuple[tuple[TrackEvent, ...], Finding | None]:
    """Returns the events to send, or the reason to skip a valid event that has nothing to send.

    Each event is a second after the one before and none is after `latest`.
    """
    own, _ = normalize_attributes(event.attributes, f"{_PATH}.attributes", found, len(event.attributes), trim=False)
    currency = currency_of(event.currency_code or _DEFAULT_CURRENCY)
    if currency is None:
        found.reject("INVALID_AMOUNT", f"{_PATH}.currency_code", unknown_currency(event.currency_code))
    if event.screen_name:
        message = (
            f"screen_name {quoted(event.screen_name)} has no place in Intercom's events: dropped; send an attribute"
        )
        found.adjust("FIELD_IGNORED", f"{_PATH}.screen_name", message)
    expanded = rules.commerce == "expanded"
    if isinstance(event.action, ProductAction):
        drafts, skip = _product_drafts(event.action, own, currency or _DEFAULT_CURRENCY, found, expanded=expanded)
    elif isinstance(event.action, PromotionAction):
        drafts, skip = _promotion_drafts(event.action, own, found, expanded=expanded), None
    else:
        drafts, skip = _impression_drafts(event.action or Impressions([]), own, found, expanded=expanded), None
    # The events take consecutive seconds. Many of them start earlier, so that the last is not in the future.
    started_at = min(created_at, latest - max(0, len(drafts) - 1))
    return _encode(drafts, started_at, rules, found), skip


def _product_drafts(
    action: ProductAction, own: Metadata, currency: str, found: Findings, *, expanded: bool
) -> tuple[list[_Draft], Finding | None]:
    path = f"{_PATH}.product_action"
    name = _action_name(action, path, found)
    fields = action_metadata(action, path, found)
    if not (action.products or fields):
        _reject_empty(path, found)
    if _too_many(len(action.products), f"{path}.products", found):
        return [], None
    items = [
        _item(product, fields, own, f"eCommerce - {name} - Item", f"{path}.products[{index}]", found)
        for index, product in enumerate(action.products)
    ]
    total = total_metadata(fields, currency, len(action.products))
    if not expanded:
        return [_Draft(f"eCommerce - {name}", total, (own,), path)], None
    if name in _ACTIONS_WITH_TOTAL:
        return [*items, _Draft(f"eCommerce - {name} - Total", total, (own,), path)], None
    return items, _skip_without_total(fields, path, found, items=bool(items))


def _item(product: Product, fields: Metadata, own: Metadata, name: str, path: str, found: Findings) -> _Draft:
    ours = item_metadata(product, path, found)
    if "Transaction Id" in fields:
        ours["Transaction Id"] = fields["Transaction Id"]
    return _Draft(name, ours, (_product_attributes(product, path, found), own), path)


def _product_attributes(product: Product, path: str, found: Findings) -> Metadata:
    pairs, _ = normalize_attributes(
        product.attributes, f"{path}.attributes", found, len(product.attributes), trim=False
    )
    return pairs


def _skip_without_total(fields: Metadata, path: str, found: Findings, *, items: bool) -> Finding | None:
    """Reports the fields that only a total event has; returns the reason to skip if nothing else is left."""
    total_only = [name for name in fields if name != "Transaction Id"]
    if not items and fields:
        message = 'the action has no products to expand: name a product, or set commerce = "summary"'
        return Finding("NO_PRODUCTS", path, message)
    if total_only:
        message = (
            f'only purchases and refunds have a total: dropped {", ".join(total_only)}; commerce = "summary" sends it'
        )
        found.adjust("FIELD_IGNORED", path, message)
    return None


def _promotion_drafts(action: PromotionAction, own: Metadata, found: Findings, *, expanded: bool) -> list[_Draft]:
    path = f"{_PATH}.promotion_action"
    name = f"eCommerce - {action.action or _UNKNOWN_ACTION}"
    if not action.promotions:
        _reject_empty(path, found)
    if _too_many(len(action.promotions), f"{path}.promotions", found):
        return []
    items = []
    for index, promotion in enumerate(action.promotions):
        at = f"{path}.promotions[{index}]"
        items.append(_Draft(f"{name} - Item", promotion_metadata(promotion, at, found), (own,), at))
    return items if expanded else [_Draft(name, {"Promotion Count": len(items)}, (own,), path)]


def _impression_drafts(impressions: Impressions, own: Metadata, found: Findings, *, expanded: bool) -> list[_Draft]:
    path = f"{_PATH}.impressions"
    lists = impressions.lists
    count = sum(len(impression_list.products) for impression_list in lists)
    if not count:
        _reject_empty(_PATH, found)
    if _too_many(max(count, len(lists)), path, found):
        return []
    items = []
    for list_index, impression_list in enumerate(lists):
        at = f"{path}.lists[{list_index}]"
        list_name = text(impression_list.name, f"{at}.name", found)
        for index, product in enumerate(impression_list.products):
            item = _item(product, {}, own, "eCommerce - Impression - Item", f"{at}.products[{index}]", found)
            if list_name:
                item.ours["Product Impression List"] = list_name
            items.append(item)
    return items if expanded else [_Draft("eCommerce - Impression", {"Product Count": count}, (own,), path)]


def _encode(
    drafts: list[_Draft], created_at: int, rules: ConnectionSettings, found: Findings
) -> tuple[TrackEvent, ...]:
    events = []
    encoded_bytes = 0
    for index, draft in enumerate(drafts):
        metadata = compose_metadata(draft.ours, draft.own, draft.path, rules, found)
        encoded_bytes += len(metadata)
        events.append(TrackEvent(draft.name, created_at + index, metadata))
        if encoded_bytes > EXPANDED_BYTES_MAX:
            message = f"expanded to {encoded_bytes} bytes or more, limit {EXPANDED_BYTES_MAX}: send fewer products"
            found.reject("ENVELOPE_TOO_LARGE", _PATH, message)
            break
    if len(events) > 1:
        message = (
            f"Intercom merges events of one name and second: the {len(events)} events have the seconds from "
            f"{rfc3339(created_at)} to {rfc3339(created_at + len(events) - 1)}"
        )
        found.adjust("TIME_SHIFTED", _PATH, message)
    return tuple(events)


def _action_name(action: ProductAction, path: str, found: Findings) -> str:
    other = normalize_event_name(action.other_action)
    if action.action:
        if other:
            message = f"the action is {action.action} already: dropped the other name {quoted(other)}"
            found.adjust("FIELD_IGNORED", f"{path}.other_action", message)
        return action.action
    longest = EVENT_NAME_CHARACTERS_MAX - len("eCommerce -  - Total")
    if len(other) > longest:
        message = f"action name of {len(other)} characters, limit {longest} in an event name: shorten {quoted(other)}"
        found.reject("EVENT_NAME_TOO_LONG", f"{path}.other_action", message)
        return _UNKNOWN_ACTION
    if other != action.other_action:
        message = f"action name {quoted(action.other_action)} has invalid characters: became {quoted(other)}"
        found.adjust("EVENT_NAME_CHANGED", f"{path}.other_action", message)
    return _ALIASES.get(other, other) or _UNKNOWN_ACTION


def _too_many(count: int, path: str, found: Findings) -> bool:
    if count <= PRODUCTS_MAX:
        return False
    message = f"at least {count} products, promotions or lists, limit {PRODUCTS_MAX}: send several events"
    found.reject("ENVELOPE_TOO_LARGE", path, message)
    return True


def _reject_empty(path: str, found: Findings) -> None:
    message = "the commerce event has no product, promotion or field of the action: add one, or send another event"
    found.reject("COMMERCE_EVENT_EMPTY", path, message)


def action_metadata(action: ProductAction, path: str, found: Findings) -> Metadata:
    """Returns the metadata of the action itself, without its products."""
    return _read(_ACTION_FIELDS, action, path, found)


def total_metadata(action: Metadata, currency: str, products: int) -> Metadata:
    """Returns the metadata of a total: that of the action, the currency, and the number of products."""
    known: Metadata = {**action, "Currency Code": currency, "Product Count": products or None}
    return {name: known[name] for name in _TOTAL_ORDER if known.get(name) is not None}


def item_metadata(product: Product, path: str, found: Findings) -> Metadata:
    """Returns the metadata of one product; the caller adds the transaction, or the impression list, at the end."""
    return _read(_ITEM_FIELDS, product, path, found)


def promotion_metadata(promotion: Promotion, path: str, found: Findings) -> Metadata:
    """Returns the metadata of one promotion."""
    return _read(_PROMOTION_FIELDS, promotion, path, found)


def _read(fields: Iterable[_Field], source: object, path: str, found: Findings) -> Metadata:
    """Reads the fields of a domain object that are set; missing values are left out."""
    metadata: Metadata = {}
    for name, field, convert in fields:
        value = getattr(source, field)
        if value is None or value == "":
            continue
        final = convert(value, f"{path}.{field}", found)
        if final is not None:
            metadata[name] = final
    return metadata
