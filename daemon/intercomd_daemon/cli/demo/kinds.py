"""The kinds of envelopes in the demo: how a sender writes each, and what must reach Intercom of it. Pure.

What must reach Intercom is written down here by hand, from the contract; none of the daemon's own code is asked.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd import CommerceEvent, CustomEvent, Envelope, SessionEndEvent, attributes, link, money, tag
from intercomd.v1 import envelope_pb2, event_pb2
from intercomd.values import Value
from intercomd_daemon.cli.demo.people import Person
from intercomd_daemon.cli.demo.step import Fate, Step, Stored, Tracked

PRODUCTS = (("P-1", "Seat", "19.99"), ("P-2", "Add-on: reports", "49.00"), ("P-3", "Onboarding", "250.00"))


def _envelope(person: Person, at: int, **fields: Any) -> Envelope:  # noqa: ANN401 - those of the message
    return Envelope(identity=person.identity, event_time=Timestamp(seconds=at), **fields)


def sign_up(person: Person, at: int) -> Step:
    """The first thing heard of somebody: what they are like, and an event."""
    joined = datetime.fromtimestamp(at, UTC)
    sent: dict[str, Value] = {"FirstName": person.first_name, "LastName": person.last_name, "plan": person.plan}
    sent["signed_up_at"] = joined
    event = CustomEvent(name="signed-up", attributes=attributes({"plan": person.plan}))
    return Step(
        kind="sign-up with attributes",
        envelope=_envelope(person, at, user_attributes=attributes(sent), custom_event=event),
        fate=Fate.DELIVERED,
        who=person.key,
        events=(Tracked("signed-up", at),),
        stored={"name": person.name, "plan": person.plan, "signed_up_at": at},
    )


def custom(person: Person, at: int, name: str, said: Mapping[str, Value], final_name: str = "") -> Step:
    """A custom event; `final_name` is Intercom's where that differs."""
    event = CustomEvent(name=name, attributes=attributes(said))
    return Step(
        kind="custom event",
        envelope=_envelope(person, at, custom_event=event),
        fate=Fate.DELIVERED,
        who=person.key,
        events=(Tracked(final_name or name, at),),
    )


def invoice(person: Person, at: int, number: int) -> Step:
    """An event with money and a link."""
    paid = money(Decimal("19.99") * (1 + number % 7), "USD")
    page = link(f"https://shop.example.com/invoices/{number}", f"Invoice {number}")
    return custom(person, at, "invoice-paid", {"amount": paid, "invoice": page, "method": "card"})


def purchase(person: Person, at: int, count: int, source: envelope_pb2.Source.ValueType) -> Step:
    """A purchase: an event for each product, and a total."""
    products = [
        event_pb2.Product(id=key, name=name, price=price, quantity="1", category="plans", brand="Example")
        for key, name, price in PRODUCTS[:count]
    ]
    total = sum((Decimal(price) for _, _, price in PRODUCTS[:count]), Decimal(0))
    action = event_pb2.ProductAction(
        action=event_pb2.PRODUCT_ACTION_TYPE_PURCHASE,
        products=products,
        transaction_id=f"T-{at}",
        total_amount=str(total),
        tax_amount="1.90",
    )
    events = [Tracked("eCommerce - purchase - Item", at + place) for place in range(count)]
    events.append(Tracked("eCommerce - purchase - Total", at + count))
    return Step(
        kind="purchase, by its products",
        envelope=_envelope(
            person, at, source=source, commerce_event=CommerceEvent(product_action=action, currency_code="USD")
        ),
        fate=Fate.DELIVERED,
        who=person.key,
        events=tuple(events),
    )


def session_end(person: Person, at: int, seconds: int) -> Step:
    """The end of a session."""
    event = SessionEndEvent(session_id=f"s-{at}", duration=Duration(seconds=seconds))
    return Step(
        kind="session end",
        envelope=_envelope(person, at, session_end_event=event),
        fate=Fate.DELIVERED,
        who=person.key,
        events=(Tracked("Session End", at),),
    )


def plan_change(person: Person, at: int, plan: str, seats: int) -> Step:
    """Attributes that change, and the event that changed them."""
    event = CustomEvent(name="plan-changed", attributes=attributes({"plan": plan, "seats": seats}))
    return Step(
        kind="event with attributes",
        envelope=_envelope(person, at, user_attributes=attributes({"plan": plan, "seats": seats}), custom_event=event),
        fate=Fate.DELIVERED,
        who=person.key,
        events=(Tracked("plan-changed", at),),
        stored={"plan": plan, "seats": seats},
    )


def profile(person: Person, at: int, interests: list[str], spent: str) -> Step:
    """Attributes alone: a list, a tag, money, a time."""
    sent: dict[str, Value] = {
        "interests": interests,
        "beta tester": tag(),
        "total_spent": money(spent, "USD"),
        "last_seen_at": datetime.fromtimestamp(at, UTC),
    }
    stored: dict[str, Stored] = {
        "interests": ",".join(interests),
        "beta tester": True,
        "total_spent": float(spent),
        "last_seen_at": at,
    }
    return Step(
        kind="attributes alone",
        envelope=_envelope(person, at, user_attributes=attributes(sent)),
        fate=Fate.DELIVERED,
        who=person.key,
        stored=stored,
    )


def sync(person: Person, at: int, plan: str) -> Step:
    """What a nightly job sends again, whether it has changed or not."""
    sent = {"FirstName": person.first_name, "LastName": person.last_name, "plan": plan}
    return Step(
        kind="nightly sync, all the same",
        envelope=_envelope(person, at, user_attributes=attributes(sent)),
        fate=Fate.UNCHANGED,
        who=person.key,
        stored={"name": person.name, "plan": plan},
    )
