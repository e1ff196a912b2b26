"""Commerce events to the events that Intercom will get, as partners of the platform receive them.

Expanded: one per product, promotion or impression, and a total of purchases and refunds. Summary: one with the totals.
What each says stands in commerce_facts; here is which events there are, under which names, and when.
"""

from collections.abc import Sequence
from typing import NamedTuple

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Event, Finding, Source
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.amounts import CURRENCY_WANTED, currency_of
from intercomd_daemon.ingest.commerce_facts import item_of, promotion_of, said_of, total_of
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import CommerceEvent, Impressions, Product, ProductAction, PromotionAction
from intercomd_daemon.ingest.limits import EVENT_NAME_CHARACTERS_MAX, EXPANDED_BYTES_MAX, PRODUCTS_MAX
from intercomd_daemon.ingest.metadata import Pairs, composed_metadata, own_pairs
from intercomd_daemon.ingest.names import mend_event_name
from intercomd_daemon.ingest.values import text

_PATH = "commerce_event"
_TOTALLED = frozenset({"purchase", "refund"})
# "also met as `remove_from_wish_list`"
_ALIASES = {"remove_from_wish_list": "remove_from_wishlist"}
_UNKNOWN = "unknown"
_CURRENCY = "USD"


class _Draft(NamedTuple):
    """One event to be: what we say of it, and the sender's own attributes in groups, the nearer first."""

    name: str
    ours: Pairs
    own: Sequence[Pairs]
    path: str


def commerce_skip(source: Source, rules: ConnectionSettings) -> Finding | None:
    """Why a commerce event is not for Intercom, however valid; None if it is."""
    if source is Source.WEB and not rules.commerce_from_web:
        message = "commerce events are taken server-to-server only: commerce_from_web of the connection lets it through"
        return Finding("COMMERCE_FROM_WEB", _PATH, message)
    if rules.commerce == "off":
        message = 'commerce events are switched off for the connection: commerce = "expanded" or "summary" takes them'
        return Finding("EVENT_TYPE_OFF", _PATH, message)
    return None


def commerce_events(
    event: CommerceEvent, created_at: int, rules: ConnectionSettings, found: Findings
) -> tuple[tuple[Event, ...], Finding | None]:
    """The final events, each a second after the one before; or why there are none where that is nobody's fault."""
    own, _ = own_pairs(event.attributes, f"{_PATH}.attributes", found, len(event.attributes), trim=False)
    currency = currency_of(event.currency_code or _CURRENCY)
    if currency is None:
        found.reject("INVALID_AMOUNT", f"{_PATH}.currency_code", CURRENCY_WANTED)
    if event.screen_name:
        message = "the events that Intercom gets of commerce have no place for it: add it to the attributes"
        found.adjust("FIELD_IGNORED", f"{_PATH}.screen_name", message)
    expanded = rules.commerce == "expanded"
    if isinstance(event.action, ProductAction):
        drafts, skip = _of_products(event.action, own, currency or _CURRENCY, found, expanded=expanded)
    elif isinstance(event.action, PromotionAction):
        drafts, skip = _of_promotions(event.action, own, found, expanded=expanded), None
    else:
        drafts, skip = _of_impressions(event.action or Impressions([]), own, found, expanded=expanded), None
    return _written(drafts, created_at, rules, found), skip


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
    """What only a total says, of an action that has none: it is left out, or nothing is left at all."""
    homeless = [name for name in said if name != "Transaction Id"]
    if not items and said:
        message = 'without products there is nothing to expand: name one, or set commerce = "summary"'
        return Finding("NO_PRODUCTS", path, message)
    if homeless:
        message = (
            f'only purchases and refunds have a total: left out {", ".join(homeless)}; commerce = "summary" sends it'
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
    count = sum(len(shown_list.products) for shown_list in lists)
    if not count:
        _reject_empty(_PATH, found)
    if _too_many(max(count, len(lists)), path, found):
        return []
    items = []
    for list_index, shown_list in enumerate(lists):
        at = f"{path}.lists[{list_index}]"
        list_name = text(shown_list.name, f"{at}.name", found)
        for index, product in enumerate(shown_list.products):
            item = _item(product, {}, own, "eCommerce - Impression - Item", f"{at}.products[{index}]", found)
            if list_name:
                item.ours["Product Impression List"] = list_name
            items.append(item)
    return items if expanded else [_Draft("eCommerce - Impression", {"Product Count": count}, (own,), path)]


def _written(drafts: list[_Draft], created_at: int, rules: ConnectionSettings, found: Findings) -> tuple[Event, ...]:
    events = []
    written_bytes = 0
    for index, draft in enumerate(drafts):
        metadata = composed_metadata(draft.ours, draft.own, draft.path, rules, found)
        written_bytes += len(metadata)
        events.append(Event(draft.name, created_at + index, metadata))
        if written_bytes > EXPANDED_BYTES_MAX:
            message = f"the events that come of it have at most {EXPANDED_BYTES_MAX} bytes: send fewer products at once"
            found.reject("ENVELOPE_TOO_LARGE", _PATH, message)
            break
    if len(events) > 1:
        message = (
            f"Intercom takes equal events of one second for one: these {len(events)} have the seconds from "
            f"{created_at} to {created_at + len(events) - 1}"
        )
        found.adjust("TIME_SHIFTED", _PATH, message)
    return tuple(events)


def _action_name(action: ProductAction, path: str, found: Findings) -> str:
    other = mend_event_name(action.other_action)
    if action.action:
        if other:
            message = f"the action is {action.action}: another name for it was left out"
            found.adjust("FIELD_IGNORED", f"{path}.other_action", message)
        return action.action
    longest = EVENT_NAME_CHARACTERS_MAX - len("eCommerce -  - Total")
    if len(other) > longest:
        message = f"an action's name has at most {longest} characters, since it becomes part of an event's"
        found.reject("EVENT_NAME_TOO_LONG", f"{path}.other_action", message)
        return _UNKNOWN
    if other != action.other_action:
        message = f"white space around a name, and . $ in it, are not for Intercom: it became {quoted(other)}"
        found.adjust("EVENT_NAME_CHANGED", f"{path}.other_action", message)
    return _ALIASES.get(other, other) or _UNKNOWN


def _too_many(count: int, path: str, found: Findings) -> bool:
    if count <= PRODUCTS_MAX:
        return False
    message = f"a commerce event has at most {PRODUCTS_MAX} products, promotions or lists of them: send several events"
    found.reject("ENVELOPE_TOO_LARGE", path, message)
    return True


def _reject_empty(path: str, found: Findings) -> None:
    message = "a product or promotion is needed, or something said of the action: add it, or send another event"
    found.reject("COMMERCE_EVENT_EMPTY", path, message)
