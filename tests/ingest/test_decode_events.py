"""Events are decoded with the names that Intercom gets."""

from collections.abc import Callable

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration

from intercomd.v1 import event_pb2 as pb
from intercomd.v1.attribute_pb2 import Attribute, AttributeValue
from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decode_events import decode_encoded_event, decode_event
from intercomd_daemon.ingest.decoded import (
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

OWN = [Attribute(name="a", value=AttributeValue(integer_value=1))]
EMPTY_PRODUCT = Product("", "", "", "", "", None, "", "", "", "", [])


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (Envelope(), None),
        (Envelope(custom_event=pb.CustomEvent(name="n", type=3, attributes=OWN)), CustomEvent("n", [("a", 1)])),
        (Envelope(custom_event=pb.CustomEvent()), CustomEvent("", [])),
        (Envelope(other_event=pb.OtherEvent(type="crash")), OtherEvent("crash")),
        (
            Envelope(session_end_event=pb.SessionEndEvent(session_id="s", duration=Duration(seconds=1, nanos=5))),
            SessionEnd("s", 1_000_000_005, []),
        ),
        (Envelope(session_end_event=pb.SessionEndEvent(attributes=OWN)), SessionEnd("", None, [("a", 1)])),
        (Envelope(commerce_event=pb.CommerceEvent()), CommerceEvent(None, "", "", [])),
        (
            Envelope(
                commerce_event=pb.CommerceEvent(
                    promotion_action=pb.PromotionAction(
                        action=2, promotions=[pb.Promotion(id="i", name="n", creative="c", position="p")]
                    ),
                    currency_code="EUR",
                    screen_name="Home",
                    attributes=OWN,
                )
            ),
            CommerceEvent(PromotionAction("click", [Promotion("i", "n", "c", "p")]), "EUR", "Home", [("a", 1)]),
        ),
        (
            Envelope(
                commerce_event=pb.CommerceEvent(
                    impressions=pb.ProductImpressions(lists=[pb.ImpressionList(name="l", products=[pb.Product()])])
                )
            ),
            CommerceEvent(Impressions([ImpressionList("l", [EMPTY_PRODUCT])]), "", "", []),
        ),
    ],
)
def test_each_event_becomes_its_domain_object(message: Envelope, event: DecodedEvent | None) -> None:
    findings: list[Finding] = []
    assert decode_event(message, findings) == event
    assert not findings


def test_every_field_of_a_product_action_is_decoded() -> None:
    product = pb.Product(
        id="i",
        name="n",
        brand="b",
        category="c",
        variant="v",
        position=0,
        price="1",
        quantity="2",
        coupon_code="k",
        total_product_amount="3",
        attributes=OWN,
    )
    action = pb.ProductAction(
        action=pb.PRODUCT_ACTION_TYPE_REMOVE_FROM_WISHLIST,
        products=[product],
        transaction_id="t",
        affiliation="a",
        total_amount="1",
        tax_amount="2",
        shipping_amount="3",
        coupon_code="k",
        product_action_list="l",
        product_list_source="s",
        checkout_step=0,
        checkout_options="o",
        other_action="x",
    )
    decoded = decode_event(Envelope(commerce_event=pb.CommerceEvent(product_action=action)), [])
    assert decoded == CommerceEvent(
        ProductAction(
            "remove_from_wishlist",
            [Product("i", "n", "b", "c", "v", 0, "1", "2", "k", "3", [("a", 1)])],
            *["t", "a", "1", "2", "3", "k", "l", "s", 0, "o", "x"],
        ),
        "",
        "",
        [],
    )


PRODUCTS = [pb.Product()] * 200
LISTS = [pb.ImpressionList(products=PRODUCTS)] * 200
PROMOTIONS = [pb.Promotion()] * 200


@pytest.mark.parametrize(
    ("commerce", "read"),
    [
        (pb.CommerceEvent(product_action=pb.ProductAction(products=PRODUCTS)), lambda action: action.products),
        (
            pb.CommerceEvent(promotion_action=pb.PromotionAction(promotions=PROMOTIONS)),
            lambda action: action.promotions,
        ),
        (pb.CommerceEvent(impressions=pb.ProductImpressions(lists=LISTS)), lambda action: action.lists),
        (pb.CommerceEvent(impressions=pb.ProductImpressions(lists=LISTS)), lambda action: action.lists[100].products),
    ],
)
def test_repeated_fields_are_read_to_one_above_their_limit(
    commerce: pb.CommerceEvent, read: Callable[[object], list[object]]
) -> None:
    decoded = decode_event(Envelope(commerce_event=commerce), [])
    assert len(read(decoded.action)) == 101


MANY = OWN * 103
ONE_PRODUCT = [pb.Product(attributes=MANY)]
IMPRESSIONS = pb.ProductImpressions(lists=[pb.ImpressionList(), pb.ImpressionList(products=ONE_PRODUCT)])


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Envelope(custom_event=pb.CustomEvent(name="n", attributes=MANY)), "custom_event.attributes"),
        (Envelope(session_end_event=pb.SessionEndEvent(attributes=MANY)), "session_end_event.attributes"),
        (Envelope(commerce_event=pb.CommerceEvent(attributes=MANY)), "commerce_event.attributes"),
        (
            Envelope(commerce_event=pb.CommerceEvent(product_action=pb.ProductAction(products=ONE_PRODUCT))),
            "commerce_event.product_action.products[0].attributes",
        ),
        (
            Envelope(commerce_event=pb.CommerceEvent(impressions=IMPRESSIONS)),
            "commerce_event.impressions.lists[1].products[0].attributes",
        ),
    ],
)
@pytest.mark.fills("ingest.limits.EVENT_ATTRIBUTES_READ_MAX")
def test_attributes_of_an_event_beyond_a_hundred_are_counted(message: Envelope, field: str) -> None:
    findings: list[Finding] = []
    decode_event(message, findings)
    assert [(finding.reason, finding.field) for finding in findings] == [("ATTRIBUTE_DROPPED", field)]
    assert "limit 100: dropped the last 3" in findings[0].message


@pytest.mark.parametrize("value", list(pb.ProductActionType.DESCRIPTOR.values), ids=lambda value: value.name)
def test_product_actions_have_the_names_of_the_proto(value: object) -> None:
    name = value.name.removeprefix("PRODUCT_ACTION_TYPE_").lower()
    action = pb.ProductAction(action=value.number)
    decoded = decode_event(Envelope(commerce_event=pb.CommerceEvent(product_action=action)), [])
    assert decoded.action.action == ("" if name == "unspecified" else name)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (pb.CommerceEvent(product_action=pb.ProductAction(action=99)), "commerce_event.product_action.action"),
        (pb.CommerceEvent(promotion_action=pb.PromotionAction(action=-1)), "commerce_event.promotion_action.action"),
    ],
)
def test_unknown_action_counts_as_unset_and_is_reported(message: pb.CommerceEvent, field: str) -> None:
    findings: list[Finding] = []
    decoded = decode_event(Envelope(commerce_event=message), findings)
    assert decoded.action.action == ""
    assert [(finding.reason, finding.field) for finding in findings] == [("FIELD_IGNORED", field)]


def test_unknown_custom_event_type_is_reported() -> None:
    findings: list[Finding] = []
    for value in pb.CustomEventType.DESCRIPTOR.values:
        decode_event(Envelope(custom_event=pb.CustomEvent(type=value.number)), findings)
    assert not findings
    decode_event(Envelope(custom_event=pb.CustomEvent(type=11)), findings)
    assert [(finding.reason, finding.field) for finding in findings] == [("FIELD_IGNORED", "custom_event.type")]


@pytest.mark.parametrize(
    "field", list(Envelope.DESCRIPTOR.oneofs_by_name["event"].fields), ids=lambda field: field.name
)
def test_event_of_every_kind_is_decoded(field: FieldDescriptor) -> None:
    message = Envelope()
    getattr(message, field.name).SetInParent()
    decoded = decode_event(message, [])
    assert decoded is not None
    if field.name != "custom_event":
        assert decode_encoded_event(field.name, b"") == decoded
