"""The metadata of commerce events has the platform's names and order."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.commerce import action_metadata, item_metadata, promotion_metadata, total_metadata
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Product, ProductAction, Promotion

Brief = Callable[[list[Finding]], list[tuple[str, str]]]
FULL = Product("p-1", "Tea", "Ceylon", "Drinks", "Loose", 3, "4.50", "2", "TEA10", "9.00", [])
EMPTY = Product("", "", "", "", "", None, "", "", "", "", [])
PURCHASE = ProductAction(
    "purchase", [], "t-1", "Shop", "19.90", "3.10", "4.00", "TEA10", "Search", "Home", 2, "Express", ""
)


def test_item_metadata_is_complete_in_order_of_priority(found: Findings) -> None:
    assert list(item_metadata(FULL, "p", found).items()) == [
        ("Id", "p-1"),
        ("Name", "Tea"),
        ("Item Price", Decimal("4.50")),
        ("Quantity", Decimal(2)),
        ("Total Product Amount", Decimal("9.00")),
        ("Category", "Drinks"),
        ("Brand", "Ceylon"),
        ("Variant", "Loose"),
        ("Position", 3),
        ("Coupon Code", "TEA10"),
    ]


def test_total_metadata_is_complete_in_order_of_priority(found: Findings) -> None:
    assert list(total_metadata(action_metadata(PURCHASE, "p", found), "EUR", 3).items()) == [
        ("Transaction Id", "t-1"),
        ("Total Amount", Decimal("19.90")),
        ("Currency Code", "EUR"),
        ("Product Count", 3),
        ("Coupon Code", "TEA10"),
        ("Tax Amount", Decimal("3.10")),
        ("Shipping Amount", Decimal("4.00")),
        ("Affiliation", "Shop"),
        ("Checkout Step", 2),
        ("Checkout Options", "Express"),
        ("Product Action List", "Search"),
        ("Product List Source", "Home"),
    ]


def test_promotion_metadata_is_complete_in_order_of_priority(found: Findings) -> None:
    metadata = promotion_metadata(Promotion("m-1", "May", "red", "top"), "p", found)
    assert list(metadata.items()) == [("Id", "m-1"), ("Name", "May"), ("Creative", "red"), ("Position", "top")]


def test_metadata_omits_missing_values(found: Findings) -> None:
    assert item_metadata(EMPTY, "p", found) == {}
    assert total_metadata({}, "USD", 0) == {"Currency Code": "USD"}


def test_metadata_includes_zeros(found: Findings) -> None:
    zero = Product("", "", "", "", "", 0, "0", "", "", "", [])
    assert item_metadata(zero, "p", found) == {"Item Price": Decimal(0), "Position": 0}


@pytest.mark.parametrize("field", ["price", "quantity", "total_product_amount"])
def test_product_amount_that_is_not_decimal_is_rejected(field: str, found: Findings, brief: Brief) -> None:
    fields = {name: getattr(EMPTY, name) for name in EMPTY.__struct_fields__} | {field: "1,5"}
    assert item_metadata(Product(**fields), "p", found) == {}
    assert brief(found.violations) == [("INVALID_AMOUNT", f"p.{field}")]


def test_metadata_texts_are_cut(found: Findings, brief: Brief) -> None:
    metadata = promotion_metadata(Promotion("x" * 300, "", "", ""), "p", found)
    assert metadata == {"Id": "x" * 255}
    assert brief(found.adjustments) == [("VALUE_TRUNCATED", "p.id")]
