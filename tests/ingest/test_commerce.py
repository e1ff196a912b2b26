"""Commerce events become the events that partners of the platform receive."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.envelope import Finding, Source, Tag
from intercomd_daemon.ingest.commerce import commerce_events, commerce_skip
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import (
    Attribute,
    CommerceEvent,
    ImpressionList,
    Impressions,
    Product,
    ProductAction,
    Promotion,
    PromotionAction,
)

Brief = Callable[[list[Finding]], list[tuple[str, str]]]
LATEST = 2000
WIDE = ConnectionSettings(name="default", limits=LimitSettings(event_attributes_max=20))


def product(product_id: str, attributes: list[Attribute] | None = None, **given: object) -> Product:
    fields = dict.fromkeys(Product.__struct_fields__, "") | {"position": None, "id": product_id}
    return Product(**fields | given | {"attributes": attributes or []})


def action(name: str, *products: Product, **given: object) -> ProductAction:
    fields = dict.fromkeys(ProductAction.__struct_fields__, "") | {"checkout_step": None}
    return ProductAction(**fields | {"action": name, "products": list(products)} | given)


def commerce(
    of: object, attributes: list[Attribute] | None = None, currency: str = "", screen: str = ""
) -> CommerceEvent:
    return CommerceEvent(of, currency, screen, attributes or [])


def shape(event: CommerceEvent, rules: ConnectionSettings, found: Findings) -> list[tuple[str, int, dict[str, Any]]]:
    events, skip = commerce_events(event, 1000, LATEST, rules, found)
    assert skip is None
    return [(each.name, each.created_at, json.loads(each.metadata or b"{}")) for each in events]


def test_purchase_becomes_items_and_a_total_on_consecutive_seconds(found: Findings, brief: Brief) -> None:
    bought = action("purchase", product("p-1", price="1.10"), product("p-2"), transaction_id="t-1", total_amount="2.20")
    assert shape(commerce(bought, [("vip", Tag())], "eur"), WIDE, found) == [
        (
            "eCommerce - purchase - Item",
            1000,
            {"Id": "p-1", "Item Price": 1.1, "Transaction Id": "t-1", "vip": True},
        ),
        ("eCommerce - purchase - Item", 1001, {"Id": "p-2", "Transaction Id": "t-1", "vip": True}),
        (
            "eCommerce - purchase - Total",
            1002,
            {"Transaction Id": "t-1", "Total Amount": 2.2, "Currency Code": "EUR", "Product Count": 2, "vip": True},
        ),
    ]
    assert brief(found.adjustments) == [("TIME_SHIFTED", "commerce_event")]


def test_amounts_keep_the_senders_digits(found: Findings) -> None:
    events, _ = commerce_events(commerce(action("refund", total_amount="19.90")), 1000, LATEST, WIDE, found)
    assert events[0].metadata == b'{"Total Amount":19.90,"Currency Code":"USD"}'


@pytest.mark.parametrize(
    "name",
    [
        *("add_to_cart", "remove_from_cart", "checkout", "checkout_option", "click", "view_detail"),
        *("add_to_wishlist", "remove_from_wishlist"),
    ],
)
def test_other_actions_have_no_total(name: str, found: Findings) -> None:
    assert shape(commerce(action(name, product("p-1"))), WIDE, found) == [
        (f"eCommerce - {name} - Item", 1000, {"Id": "p-1"})
    ]
    assert not found.adjustments


def test_fields_of_a_total_are_reported_where_no_total_is_sent(found: Findings, brief: Brief) -> None:
    shape(commerce(action("checkout", product("p-1"), checkout_step=2, transaction_id="t")), WIDE, found)
    assert brief(found.adjustments) == [("FIELD_IGNORED", "commerce_event.product_action")]
    assert "dropped Checkout Step;" in found.adjustments[0].message


def test_attributes_of_a_product_come_first_and_only_in_its_item(found: Findings) -> None:
    bought = action("click", product("p-1", [("own", 1), ("both", 1)]), product("p-2"))
    assert [metadata for _, _, metadata in shape(commerce(bought, [("both", 2), ("all", 3)]), WIDE, found)] == [
        {"Id": "p-1", "own": 1, "both": 1, "all": 3},
        {"Id": "p-2", "both": 2, "all": 3},
    ]


def test_item_keeps_the_first_five_attributes_and_reports_the_others(
    rules: ConnectionSettings, found: Findings, brief: Brief
) -> None:
    full = product("p", [("own", 1)], name="n", price="1", quantity="2", total_product_amount="2", brand="b")
    assert list(shape(commerce(action("click", full)), rules, found)[0][2]) == [
        "Id",
        "Name",
        "Item Price",
        "Quantity",
        "Total Product Amount",
    ]
    assert brief(found.adjustments) == [("ATTRIBUTE_DROPPED", "commerce_event.product_action.products[0]")]


@pytest.mark.parametrize(
    ("given_name", "other", "name", "adjustments"),
    [
        ("", "", "unknown", []),
        ("", "rent", "rent", []),
        ("", "remove_from_wish_list", "remove_from_wishlist", []),
        ("", " rent.$ ", "rent--", [("EVENT_NAME_CHANGED", "commerce_event.product_action.other_action")]),
        ("click", "rent", "click", [("FIELD_IGNORED", "commerce_event.product_action.other_action")]),
    ],
)
def test_action_names_the_event(
    given_name: str, other: str, name: str, adjustments: list[tuple[str, str]], found: Findings, brief: Brief
) -> None:
    events = shape(commerce(action(given_name, product("p"), other_action=other)), WIDE, found)
    assert [event[0] for event in events] == [f"eCommerce - {name} - Item"]
    assert brief(found.adjustments) == adjustments


def test_other_action_purchase_has_a_total(found: Findings) -> None:
    events = shape(commerce(action("", product("p"), other_action="purchase")), WIDE, found)
    assert [event[0] for event in events] == ["eCommerce - purchase - Item", "eCommerce - purchase - Total"]


def test_each_promotion_and_impression_becomes_an_item(found: Findings) -> None:
    promoted = PromotionAction("view", [Promotion("m", "May", "", ""), Promotion("", "", "red", "top")])
    shown = Impressions(
        [ImpressionList("Best", [product("p-1"), product("p-2")]), ImpressionList("", [product("p-1", position=0)])]
    )
    assert shape(commerce(promoted, [("a", 1)]), WIDE, found) == [
        ("eCommerce - view - Item", 1000, {"Id": "m", "Name": "May", "a": 1}),
        ("eCommerce - view - Item", 1001, {"Creative": "red", "Position": "top", "a": 1}),
    ]
    assert shape(commerce(shown), WIDE, found) == [
        ("eCommerce - Impression - Item", 1000, {"Id": "p-1", "Product Impression List": "Best"}),
        ("eCommerce - Impression - Item", 1001, {"Id": "p-2", "Product Impression List": "Best"}),
        ("eCommerce - Impression - Item", 1002, {"Id": "p-1", "Position": 0}),
    ]


def test_summary_is_one_event_with_totals_and_count(found: Findings) -> None:
    summary = replace(WIDE, commerce="summary")
    bought = action("purchase", product("p-1"), product("p-2"), total_amount="2.20", checkout_step=0)
    promoted = PromotionAction("", [Promotion("m", "", "", "")])
    shown = Impressions([ImpressionList("a", [product("p")]), ImpressionList("b", [product("q")])])
    assert [shape(commerce(each, [("a", 1)]), summary, found) for each in (bought, promoted, shown)] == [
        [
            (
                "eCommerce - purchase",
                1000,
                {"Total Amount": 2.2, "Currency Code": "USD", "Product Count": 2, "Checkout Step": 0, "a": 1},
            )
        ],
        [("eCommerce - unknown", 1000, {"Promotion Count": 1, "a": 1})],
        [("eCommerce - Impression", 1000, {"Product Count": 2, "a": 1})],
    ]
    assert not found.adjustments


def test_summary_needs_no_products(found: Findings) -> None:
    summary = replace(WIDE, commerce="summary")
    assert shape(commerce(action("checkout", checkout_step=1)), summary, found) == [
        ("eCommerce - checkout", 1000, {"Currency Code": "USD", "Checkout Step": 1})
    ]


@pytest.mark.parametrize(
    "empty",
    [None, action("purchase"), action("click"), PromotionAction("view", []), Impressions([ImpressionList("a", [])])],
)
@pytest.mark.parametrize("form", ["expanded", "summary", "off"])
def test_empty_event_is_rejected(empty: object, form: str, found: Findings, brief: Brief) -> None:
    commerce_events(commerce(empty, [("a", 1)]), 1000, LATEST, replace(WIDE, commerce=form), found)
    assert [reason for reason, _ in brief(found.violations)] == ["COMMERCE_EVENT_EMPTY"]


def test_action_without_products_is_skipped_if_expanded(found: Findings) -> None:
    events, skip = commerce_events(commerce(action("checkout", checkout_step=1)), 1000, LATEST, WIDE, found)
    assert events == ()
    assert skip is not None
    assert (skip.reason, skip.field) == ("NO_PRODUCTS", "commerce_event.product_action")
    assert not found.violations


def test_all_violations_are_reported_at_once(brief: Brief) -> None:
    found = Findings(reject_values=True)
    wrong = action("purchase", product("p", [("", 1)], price="x"), tax_amount="1,0")
    commerce_events(commerce(wrong, [("a", None)], "DOLLAR"), 1000, LATEST, WIDE, found)
    assert brief(found.violations) == [
        ("INVALID_ATTRIBUTE_VALUE", "commerce_event.attributes[0].value"),
        ("INVALID_AMOUNT", "commerce_event.currency_code"),
        ("INVALID_AMOUNT", "commerce_event.product_action.tax_amount"),
        ("INVALID_AMOUNT", "commerce_event.product_action.products[0].price"),
        ("INVALID_ATTRIBUTE_NAME", "commerce_event.product_action.products[0].attributes[0]"),
    ]


@pytest.mark.parametrize("currency", ["DOLLAR", "ZZZ", "RMB", "US"])
def test_currency_outside_iso_4217_is_rejected(currency: str, found: Findings, brief: Brief) -> None:
    commerce_events(commerce(action("click", product("p")), currency=currency), 1000, LATEST, WIDE, found)
    assert brief(found.violations) == [("INVALID_AMOUNT", "commerce_event.currency_code")]
    assert found.violations[0].message == f'unknown currency "{currency}": expected a code of ISO 4217, such as "USD"'


@pytest.mark.parametrize(
    ("count", "latest", "seconds"),
    [
        (1, 1000, range(1000, 1001)),
        (2, 1000, range(999, 1001)),
        (100, 1060, range(961, 1061)),
        (61, 1060, range(1000, 1061)),
    ],
)
def test_expanded_events_end_by_the_latest_second(count: int, latest: int, seconds: range, found: Findings) -> None:
    many = action("click", *[product("p")] * count)
    events, _ = commerce_events(commerce(many), 1000, latest, WIDE, found)
    assert [event.created_at for event in events] == list(seconds)


@pytest.mark.parametrize(
    ("many", "field"),
    [
        (action("click", *[product("p")] * 101), "commerce_event.product_action.products"),
        (PromotionAction("view", [Promotion("m", "", "", "")] * 101), "commerce_event.promotion_action.promotions"),
        (Impressions([ImpressionList("", [product("p")] * 51)] * 2), "commerce_event.impressions"),
        (
            Impressions([ImpressionList("", [product("p")])] + [ImpressionList("", [])] * 100),
            "commerce_event.impressions",
        ),
    ],
)
def test_more_than_a_hundred_products_promotions_or_lists_are_rejected(
    many: object, field: str, found: Findings, brief: Brief
) -> None:
    assert commerce_events(commerce(many), 1000, LATEST, WIDE, found) == ((), None)
    assert brief(found.violations) == [("ENVELOPE_TOO_LARGE", field)]


def test_hundred_products_are_accepted(found: Findings) -> None:
    assert len(shape(commerce(action("purchase", *[product("p")] * 100)), WIDE, found)) == 101


def test_expansion_stops_at_a_mebibyte(found: Findings, brief: Brief) -> None:
    vast = replace(WIDE, limits=LimitSettings(event_attributes_max=1000))
    own: list[Attribute] = [(f"a{index}", "x" * 250) for index in range(100)]
    commerce_events(commerce(action("click", *[product("p")] * 100), own), 1000, LATEST, vast, found)
    assert brief(found.violations) == [("ENVELOPE_TOO_LARGE", "commerce_event")]


def test_other_action_is_limited_to_what_an_event_name_can_hold(found: Findings, brief: Brief) -> None:
    longest = 255 - len("eCommerce -  - Total")
    fits, _ = commerce_events(commerce(action("", product("p"), other_action="x" * longest)), 1000, LATEST, WIDE, found)
    assert len(fits[0].name) <= 255
    commerce_events(commerce(action("", product("p"), other_action="x" * (longest + 1))), 1000, LATEST, WIDE, found)
    assert brief(found.violations) == [("EVENT_NAME_TOO_LONG", "commerce_event.product_action.other_action")]


def test_screen_name_is_dropped_and_reported(found: Findings, brief: Brief) -> None:
    shape(commerce(action("click", product("p")), screen="Home"), WIDE, found)
    assert brief(found.adjustments) == [("FIELD_IGNORED", "commerce_event.screen_name")]


@pytest.mark.parametrize(
    ("source", "from_web", "form", "reason"),
    [
        (Source.SERVER, False, "expanded", None),
        (Source.IOS, False, "summary", None),
        (Source.WEB, False, "expanded", "COMMERCE_FROM_WEB"),
        (Source.WEB, True, "expanded", None),
        (Source.WEB, True, "off", "EVENT_TYPE_OFF"),
        (Source.SERVER, False, "off", "EVENT_TYPE_OFF"),
    ],
)
def test_commerce_skip_depends_on_source_and_settings(
    source: Source, from_web: bool, form: str, reason: str | None
) -> None:
    skip = commerce_skip(source, replace(WIDE, commerce_from_web=from_web, commerce=form))
    assert (skip.reason if skip else None) == reason


TEXT = st.text(max_size=300)
AMOUNT = st.sampled_from(["", "1.50", "x", "-3"])
OWN = st.lists(st.tuples(st.text(max_size=4), st.integers() | TEXT), max_size=8)
PRODUCTS = st.lists(
    st.builds(Product, TEXT, TEXT, TEXT, TEXT, TEXT, st.none() | st.integers(-5, 5), AMOUNT, AMOUNT, TEXT, AMOUNT, OWN),
    max_size=4,
)
ACTIONS = st.one_of(
    st.none(),
    st.builds(
        ProductAction,
        st.sampled_from(["", "purchase", "click"]),
        PRODUCTS,
        *[TEXT, TEXT, AMOUNT, AMOUNT, AMOUNT, TEXT, TEXT, TEXT],
        st.none() | st.integers(0, 3),
        TEXT,
        TEXT,
    ),
    st.builds(
        PromotionAction,
        st.sampled_from(["", "view"]),
        st.lists(st.builds(Promotion, TEXT, TEXT, TEXT, TEXT), max_size=3),
    ),
    st.builds(Impressions, st.lists(st.builds(ImpressionList, TEXT, PRODUCTS), max_size=3)),
)


@given(
    st.builds(CommerceEvent, ACTIONS, st.sampled_from(["", "EUR", "?"]), TEXT, OWN),
    st.sampled_from(["expanded", "summary", "off"]),
    st.integers(0, 12),
)
def test_any_commerce_event_is_expanded_within_intercoms_limits(event: CommerceEvent, form: str, maximum: int) -> None:
    found = Findings()
    rules = ConnectionSettings(name="default", commerce=form, limits=LimitSettings(event_attributes_max=maximum))
    events, skip = commerce_events(event, 1000, LATEST, rules, found)
    assert events or skip or found.violations
    assert [each.created_at for each in events] == list(range(1000, 1000 + len(events)))
    for each in events:
        metadata = json.loads(each.metadata or b"{}")
        assert len(metadata) <= maximum
        assert len(each.name) <= 255
        assert all(len(key) <= 190 and not set(key) & set(".$") for key in metadata)
        assert all(len(value) <= 255 for value in metadata.values() if isinstance(value, str))
