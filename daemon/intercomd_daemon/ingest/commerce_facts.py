"""What the events of commerce say of themselves: names and order as partners of the platform receive them.

The order is the priority where a limit cuts. "Missing values are left out"; texts are cut, amounts are exact.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from intercomd_daemon.ingest.amounts import decimal_of, invalid_amount
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Product, ProductAction, Promotion
from intercomd_daemon.ingest.metadata import Pairs
from intercomd_daemon.ingest.values import Json, text


class _Fact(NamedTuple):
    """A name that Intercom gets, the field that it comes from, and how."""

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
_SAID = (
    _Fact("Transaction Id", "transaction_id", text),
    _Fact("Total Amount", "total_amount", _amount),
    _Fact("Coupon Code", "coupon_code", text),
    _Fact("Tax Amount", "tax_amount", _amount),
    _Fact("Shipping Amount", "shipping_amount", _amount),
    _Fact("Affiliation", "affiliation", text),
    _Fact("Checkout Step", "checkout_step", _whole),
    _Fact("Checkout Options", "checkout_options", text),
    _Fact("Product Action List", "product_action_list", text),
    _Fact("Product List Source", "product_list_source", text),
)
_ITEM = (
    _Fact("Id", "id", text),
    _Fact("Name", "name", text),
    _Fact("Item Price", "price", _amount),
    _Fact("Quantity", "quantity", _amount),
    _Fact("Total Product Amount", "total_product_amount", _amount),
    _Fact("Category", "category", text),
    _Fact("Brand", "brand", text),
    _Fact("Variant", "variant", text),
    _Fact("Position", "position", _whole),
    _Fact("Coupon Code", "coupon_code", text),
)
_PROMOTION = (
    _Fact("Id", "id", text),
    _Fact("Name", "name", text),
    _Fact("Creative", "creative", text),
    _Fact("Position", "position", text),
)


def said_of(action: ProductAction, path: str, found: Findings) -> Pairs:
    """What the sender says of the action itself, its products aside."""
    return _facts(_SAID, action, path, found)


def total_of(said: Pairs, currency: str, products: int) -> Pairs:
    """What a total says: the action's own, the currency, and how many products there are."""
    known: Pairs = {**said, "Currency Code": currency, "Product Count": products or None}
    return {name: known[name] for name in _TOTAL_ORDER if known.get(name) is not None}


def item_of(product: Product, path: str, found: Findings) -> Pairs:
    """What is said of one product; the transaction, or the list of an impression, comes after it."""
    return _facts(_ITEM, product, path, found)


def promotion_of(promotion: Promotion, path: str, found: Findings) -> Pairs:
    """What is said of one promotion."""
    return _facts(_PROMOTION, promotion, path, found)


def _facts(facts: Iterable[_Fact], source: object, path: str, found: Findings) -> Pairs:
    pairs: Pairs = {}
    for name, field, convert in facts:
        value = getattr(source, field)
        if value is None or value == "":
            continue
        final = convert(value, f"{path}.{field}", found)
        if final is not None:
            pairs[name] = final
    return pairs
