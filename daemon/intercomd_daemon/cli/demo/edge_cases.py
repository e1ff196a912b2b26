"""Builds the envelopes of the demo that the daemon rejects, skips or adjusts, or that Intercom refuses."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from intercomd import CommerceEvent, CustomEvent, Envelope, Identity, OtherEvent, attributes
from intercomd.v1 import envelope_pb2, event_pb2
from intercomd.values import Value
from intercomd_daemon.cli.demo.builders import ExpectedEvent, FinalState, Step, custom, purchase, sign_up
from intercomd_daemon.cli.demo.personas import ARCHIVED, BLOCKED, Persona

INVALID = "invalid"
NOT_FOR_INTERCOM = "not for Intercom"
CLICKED = "button-clicked"


def _step(kind: str, final_state: FinalState, reason: str, **fields: Any) -> Step:  # noqa: ANN401 - fields of the message
    return Step(kind=kind, envelope=Envelope(**fields), final_state=final_state, reason=reason)


def rejected(at: int) -> list[Step]:
    """Builds envelopes that the sender must correct, one for each reason (two for the identity)."""
    time = Timestamp(seconds=at)
    ada = Identity(customer_id="c-1000")
    event = CustomEvent(name="signed-up")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("IDENTITY_REQUIRED", {"custom_event": event}),
        ("IDENTITY_REQUIRED", {"identity": Identity(customer_id="  "), "custom_event": event}),
        ("INVALID_EMAIL", {"identity": Identity(email="ada at example.com"), "custom_event": event}),
        ("EMPTY_ENVELOPE", {"identity": ada}),
        ("EVENT_NAME_REQUIRED", {"identity": ada, "custom_event": CustomEvent()}),
        ("UNKNOWN_CONNECTION", {"identity": ada, "connection": "mars", "custom_event": event}),
        (
            "INVALID_AMOUNT",
            {
                "identity": ada,
                "commerce_event": CommerceEvent(
                    product_action=event_pb2.ProductAction(
                        action=event_pb2.PRODUCT_ACTION_TYPE_PURCHASE,
                        products=[event_pb2.Product(id="P-1", name="Seat", price="12,50")],
                    )
                ),
            },
        ),
    ]
    return [_step(INVALID, FinalState.REJECTED, reason, event_time=time, **fields) for reason, fields in cases]


def skipped(persona: Persona, at: int) -> list[Step]:
    """Builds envelopes that are valid and not for Intercom: other events, web commerce, development data."""
    about: dict[str, Any] = {"identity": persona.identity, "event_time": Timestamp(seconds=at)}
    viewed = event_pb2.ProductAction(
        action=event_pb2.PRODUCT_ACTION_TYPE_VIEW_DETAIL, products=[event_pb2.Product(id="P-1", name="Seat")]
    )
    development = envelope_pb2.ENVIRONMENT_DEVELOPMENT
    return [
        _step(
            NOT_FOR_INTERCOM,
            FinalState.SKIPPED,
            "UNSUPPORTED_EVENT_TYPE",
            **about,
            other_event=OtherEvent(type="screen_view"),
        ),
        _step(
            NOT_FOR_INTERCOM,
            FinalState.SKIPPED,
            "COMMERCE_FROM_WEB",
            **about,
            source=envelope_pb2.SOURCE_WEB,
            commerce_event=CommerceEvent(product_action=viewed),
        ),
        _step(
            NOT_FOR_INTERCOM,
            FinalState.SKIPPED,
            "DEVELOPMENT_DATA",
            **about,
            environment=development,
            custom_event=CustomEvent(name="test"),
        ),
    ]


def adjusted(persona: Persona, at: int) -> list[Step]:
    """Builds envelopes that are adjusted: names, long values, too many attributes, two events of one second."""
    many: dict[str, Value] = {f"answer {number}": number for number in range(1, 8)}
    web = purchase(persona, at + 60, 1, envelope_pb2.SOURCE_WEB)
    web.envelope.user_attributes.extend(attributes({"coupon": "SPRING"}))
    twice = custom(persona, at + 40, CLICKED, {"button": "cancel"})
    return [
        custom(persona, at, "trial.extended", {"note": "n" * 300}, final_name="trial-extended"),
        custom(persona, at + 20, "survey-answered", many),
        custom(persona, at + 40, CLICKED, {"button": "save"}),
        Step(
            kind=twice.kind,
            envelope=twice.envelope,
            final_state=FinalState.DELIVERED,
            user=persona.key,
            events=(ExpectedEvent(CLICKED, at + 41),),
        ),
        Step(
            kind="web purchase",
            envelope=web.envelope,
            final_state=FinalState.DELIVERED,
            user=persona.key,
            stored={"coupon": "SPRING"},
        ),
    ]


def refused_by_intercom(at: int) -> list[Step]:
    """Builds envelopes that Intercom refuses permanently: their contacts are archived or blocked."""
    cases = (
        (ARCHIVED, at, "CONTACT_ARCHIVED"),
        (ARCHIVED, at + 60, "CONTACT_ARCHIVED"),
        (BLOCKED, at, "CONTACT_BLOCKED"),
    )
    return [
        Step(
            kind="archived or blocked",
            envelope=sign_up(persona, time).envelope,
            final_state=FinalState.DEAD_LETTER,
            user=persona.key,
            reason=reason,
        )
        for persona, time, reason in cases
    ]
