"""Builds the envelopes of the demo, each with its expected result.

The expected results are written by hand from the public contract, independent of the daemon's code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd import CommerceEvent, CustomEvent, Envelope, SessionEndEvent, attributes, link, money, tag
from intercomd.v1 import envelope_pb2, event_pb2
from intercomd.values import Value
from intercomd_daemon.cli.demo.personas import Persona

FieldValue = str | float | bool
"""Value of a contact's field at Intercom."""


class FinalState(Enum):
    """What becomes of an envelope, in the order of the summary."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    DEAD_LETTER = "dead letters"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    DUPLICATE = "duplicates"

    @property
    def accepted(self) -> bool:
        """Whether the daemon accepts the envelope, so that it has an outcome."""
        return self in {FinalState.DELIVERED, FinalState.UNCHANGED, FinalState.DEAD_LETTER}


class ExpectedEvent(NamedTuple):
    """An event that Intercom must receive."""

    name: str
    created_at: int
    """Unix seconds."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One envelope and its expected result."""

    kind: str
    """Label in the summary."""
    envelope: Envelope
    final_state: FinalState
    user: str = ""
    """The contact's external_id at Intercom, or its email if it has none."""
    events: tuple[ExpectedEvent, ...] = ()
    stored: Mapping[str, FieldValue] = field(default_factory=dict)
    """Fields of the contact that this envelope sets."""
    reason: str = ""
    """Why the envelope is not delivered, if it is not."""


PRODUCTS = (("P-1", "Seat", "19.99"), ("P-2", "Add-on: reports", "49.00"), ("P-3", "Onboarding", "250.00"))


def _envelope(persona: Persona, at: int, **fields: Any) -> Envelope:  # noqa: ANN401 - fields of the message
    return Envelope(identity=persona.identity, event_time=Timestamp(seconds=at), **fields)


def sign_up(persona: Persona, at: int) -> Step:
    """Builds a user's first envelope: attributes and an event."""
    joined = datetime.fromtimestamp(at, UTC)
    sent: dict[str, Value] = {"FirstName": persona.first_name, "LastName": persona.last_name, "plan": persona.plan}
    sent["signed_up_at"] = joined
    event = CustomEvent(name="signed-up", attributes=attributes({"plan": persona.plan}))
    return Step(
        kind="sign-up",
        envelope=_envelope(persona, at, user_attributes=attributes(sent), custom_event=event),
        final_state=FinalState.DELIVERED,
        user=persona.key,
        events=(ExpectedEvent("signed-up", at),),
        stored={"name": persona.name, "plan": persona.plan, "signed_up_at": at},
    )


def custom(persona: Persona, at: int, name: str, metadata: Mapping[str, Value], final_name: str = "") -> Step:
    """Builds a custom event; `final_name` is its name at Intercom, if it differs."""
    event = CustomEvent(name=name, attributes=attributes(metadata))
    return Step(
        kind="custom event",
        envelope=_envelope(persona, at, custom_event=event),
        final_state=FinalState.DELIVERED,
        user=persona.key,
        events=(ExpectedEvent(final_name or name, at),),
    )


def invoice(persona: Persona, at: int, number: int) -> Step:
    """Builds an event with an amount and a link."""
    paid = money(Decimal("19.99") * (1 + number % 7), "USD")
    page = link(f"https://shop.example.com/invoices/{number}", f"Invoice {number}")
    return custom(persona, at, "invoice-paid", {"amount": paid, "invoice": page, "method": "card"})


def purchase(persona: Persona, at: int, count: int, source: envelope_pb2.Source.ValueType) -> Step:
    """Builds a purchase, which becomes one event for each product and one for the total."""
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
    events = [ExpectedEvent("eCommerce - purchase - Item", at + place) for place in range(count)]
    events.append(ExpectedEvent("eCommerce - purchase - Total", at + count))
    return Step(
        kind="purchase",
        envelope=_envelope(
            persona, at, source=source, commerce_event=CommerceEvent(product_action=action, currency_code="USD")
        ),
        final_state=FinalState.DELIVERED,
        user=persona.key,
        events=tuple(events),
    )


def session_end(persona: Persona, at: int, seconds: int) -> Step:
    """Builds the end of a session."""
    event = SessionEndEvent(session_id=f"s-{at}", duration=Duration(seconds=seconds))
    return Step(
        kind="session end",
        envelope=_envelope(persona, at, session_end_event=event),
        final_state=FinalState.DELIVERED,
        user=persona.key,
        events=(ExpectedEvent("Session End", at),),
    )


def plan_change(persona: Persona, at: int, plan: str, seats: int) -> Step:
    """Builds an event together with the attributes that it changes."""
    event = CustomEvent(name="plan-changed", attributes=attributes({"plan": plan, "seats": seats}))
    return Step(
        kind="event and attributes",
        envelope=_envelope(persona, at, user_attributes=attributes({"plan": plan, "seats": seats}), custom_event=event),
        final_state=FinalState.DELIVERED,
        user=persona.key,
        events=(ExpectedEvent("plan-changed", at),),
        stored={"plan": plan, "seats": seats},
    )


def profile(persona: Persona, at: int, interests: list[str], spent: str) -> Step:
    """Builds an update of attributes: a list, a tag, an amount, a time."""
    sent: dict[str, Value] = {
        "interests": interests,
        "beta tester": tag(),
        "total_spent": money(spent, "USD"),
        "last_seen_at": datetime.fromtimestamp(at, UTC),
    }
    stored: dict[str, FieldValue] = {
        "interests": ",".join(interests),
        "beta tester": True,
        "total_spent": float(spent),
        "last_seen_at": at,
    }
    return Step(
        kind="attributes",
        envelope=_envelope(persona, at, user_attributes=attributes(sent)),
        final_state=FinalState.DELIVERED,
        user=persona.key,
        stored=stored,
    )


def sync(persona: Persona, at: int, plan: str) -> Step:
    """Builds the update of a nightly job, which changes nothing."""
    sent = {"FirstName": persona.first_name, "LastName": persona.last_name, "plan": plan}
    return Step(
        kind="nightly sync",
        envelope=_envelope(persona, at, user_attributes=attributes(sent)),
        final_state=FinalState.UNCHANGED,
        user=persona.key,
        stored={"name": persona.name, "plan": plan},
    )
