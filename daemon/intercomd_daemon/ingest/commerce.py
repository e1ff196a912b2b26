"""Expands commerce events to the events that Intercom gets, named as the platform's other partners receive them.

Expanded: one per product, promotion or impression, and a total of purchases and refunds. Summary: one with the totals.
`commerce_facts.py` composes the metadata of each.
"""

from collections.abc import Sequence
from typing import NamedTuple

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.conversion import rfc3339
from intercomd_daemon.envelope import Finding, Source, TrackEvent
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.amounts import currency_of, unknown_currency
from intercomd_daemon.ingest.commerce_facts import item_of, promotion_of, said_of, total_of
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import CommerceEvent, Impressions, Product, ProductAction, PromotionAction
from intercomd_daemon.ingest.limits import EVENT_NAME_CHARACTERS_MAX, EXPANDED_BYTES_MAX, PRODUCTS_MAX
from intercomd_daemon.ingest.metadata import Pairs, composed_metadata, own_pairs
from intercomd_daemon.ingest.names import normalize_event_name
from intercomd_daemon.ingest.values import text

_PATH = "commerce_event"
_TOTALLED = frozenset({"purchase", "refund"})
# "also met as `remove_from_wish_list`"
_ALIASES = {"remove_from_wish_list": "remove_from_wishlist"}
_UNKNOWN = "unknown"
_CURRENCY = "USD"


class _Draft(NamedTuple):
    """An event before encoding: our metadata, and the sender's attributes in groups, the most specific first."""

    name: str
    ours: Pairs
    own: Sequence[Pairs]
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
    """Returns the events to send, each a second after the one before and none after `latest`; or why it is skipped."""
    own, _ = own_pairs(event.attributes, f"{_PATH}.attributes", found, len(event.attributes), trim=False)
    currency = currency_of(event.currency_code or _CURRENCY)
    if currency is None:
        found.reject("INVALID_AMOUNT", f"{_PATH}.currency_code", unknown_currency(event.currency_code))
    if event.screen_name:
        message = f"commerce events have no screen name: dropped {quoted(event.screen_name)}; send it as an attribute"
        found.adjust("FIELD_IGNORED", f"{_PATH}.screen_name", message)
    expanded = rules.commerce == "expanded"
    if isinstance(event.action, ProductAction):
        drafts, skip = _of_products(event.action, own, currency or _CURRENCY, found, expanded=expanded)
    elif isinstance(event.action, PromotionAction):
        drafts, skip = _of_promotions(event.action, own, found, expanded=expanded), None
    else:
        drafts, skip = _of_impressions(event.action or Impressions([]), own, found, expanded=expanded), None
    # The events take consecutive seconds: many of them start earlier, so that the last is not in the future.
    started_at = min(created_at, latest - max(0, len(drafts) - 1))
    return _written(drafts, started_at, rules, found), skip


def _of_products(
    action: ProductAction, own: Pairs, currency: str, found: Findings, *, expanded: bool
) -> tuple[list[_Draft], Finding | None]:
    path = f"{_PATH}.product_action"
    name = _action_name(action, path, found)
    said = said_of(action, path, found)
    if not (action.products or said):
        _reject_empty(path, found)
    if _too_many(len(action.products), f"{path}.products", found):
        return [], None
    items = [
        _item(product, said, own, f"eCommerce - {name} - Item", f"{path}.products[{index}]", found)
        for index, product in enumerate(action.products)
    ]
    total = total_of(said, currency, len(action.products))
    if not expanded:
        return [_Draft(f"eCommerce - {name}", total, (own,), path)], None
    if name in _TOTALLED:
        return [*items, _Draft(f"eCommerce - {name} - Total", total, (own,), path)], None
    return items, _without_total(said, path, found, items=bool(items))


def _item(product: Product, said: Pairs, own: Pairs, name: str, path: str, found: Findings) -> _Draft:
    ours = item_of(product, path, found)
    if "Transaction Id" in said:
        ours["Transaction Id"] = said["Transaction Id"]
    return _Draft(name, ours, (_products_own(product, path, found), own), path)


def _products_own(product: Product, path: str, found: Findings) -> Pairs:
    pairs, _ = own_pairs(product.attributes, f"{path}.attributes", found, len(product.attributes), trim=False)
    return pairs


def _without_total(said: Pairs, path: str, found: Findings, *, items: bool) -> Finding | None:
    """Reports the fields that only a total event has; returns the reason to skip if nothing else is left."""
    total_only = [name for name in said if name != "Transaction Id"]
    if not items and said:
        message = 'the action has no products to expand: name a product, or set commerce = "summary"'
        return Finding("NO_PRODUCTS", path, message)
    if total_only:
        message = (
            f'only purchases and refunds have a total: dropped {", ".join(total_only)}; commerce = "summary" sends it'
        )
        found.adjust("FIELD_IGNORED", path, message)
    return None


def _of_promotions(action: PromotionAction, own: Pairs, found: Findings, *, expanded: bool) -> list[_Draft]:
    path = f"{_PATH}.promotion_action"
    name = f"eCommerce - {action.action or _UNKNOWN}"
    if not action.promotions:
        _reject_empty(path, found)
    if _too_many(len(action.promotions), f"{path}.promotions", found):
        return []
    items = []
    for index, promotion in enumerate(action.promotions):
        at = f"{path}.promotions[{index}]"
        items.append(_Draft(f"{name} - Item", promotion_of(promotion, at, found), (own,), at))
    return items if expanded else [_Draft(name, {"Promotion Count": len(items)}, (own,), path)]


def _of_impressions(impressions: Impressions, own: Pairs, found: Findings, *, expanded: bool) -> list[_Draft]:
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


def _written(
    drafts: list[_Draft], created_at: int, rules: ConnectionSettings, found: Findings
) -> tuple[TrackEvent, ...]:
    events = []
    written_bytes = 0
    for index, draft in enumerate(drafts):
        metadata = composed_metadata(draft.ours, draft.own, draft.path, rules, found)
        written_bytes += len(metadata)
        events.append(TrackEvent(draft.name, created_at + index, metadata))
        if written_bytes > EXPANDED_BYTES_MAX:
            message = f"expanded to {written_bytes} bytes or more, limit {EXPANDED_BYTES_MAX}: send fewer products"
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
        return _UNKNOWN
    if other != action.other_action:
        message = f"action name {quoted(action.other_action)} has invalid characters: became {quoted(other)}"
        found.adjust("EVENT_NAME_CHANGED", f"{path}.other_action", message)
    return _ALIASES.get(other, other) or _UNKNOWN


def _too_many(count: int, path: str, found: Findings) -> bool:
    if count <= PRODUCTS_MAX:
        return False
    message = f"at least {count} products, promotions or lists, limit {PRODUCTS_MAX}: send several events"
    found.reject("ENVELOPE_TOO_LARGE", path, message)
    return True


def _reject_empty(path: str, found: Findings) -> None:
    message = "the commerce event has no product, promotion or field of the action: add one, or send another event"
    found.reject("COMMERCE_EVENT_EMPTY", path, message)
