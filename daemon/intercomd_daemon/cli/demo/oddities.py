"""What goes not to Intercom, or not as it came: refused, left out on purpose, changed on acceptance. Pure."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from intercomd import CommerceEvent, CustomEvent, Envelope, Identity, OtherEvent, attributes, money
from intercomd.v1 import envelope_pb2, event_pb2
from intercomd.values import Value
from intercomd_daemon.cli.demo.kinds import custom, purchase, sign_up
from intercomd_daemon.cli.demo.people import ARCHIVED, BLOCKED, Person
from intercomd_daemon.cli.demo.step import Fate, Step, Tracked

REFUSED = "refused by the daemon"
LEFT_OUT = "not for Intercom"
CLICKED = "button-clicked"


def _step(kind: str, fate: Fate, reason: str, **fields: Any) -> Step:  # noqa: ANN401 - those of the message
    return Step(kind=kind, envelope=Envelope(**fields), fate=fate, reason=reason)


def rejected(at: int) -> list[Step]:
    """What the sender must change: nobody, a wrong address, nothing said, no name, no such connection, no amount."""
    time = Timestamp(seconds=at)
    somebody = Identity(customer_id="c-1000")
    event = CustomEvent(name="signed-up")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("IDENTITY_REQUIRED", {"custom_event": event}),
        ("IDENTITY_REQUIRED", {"identity": Identity(customer_id="  "), "custom_event": event}),
        ("INVALID_EMAIL", {"identity": Identity(email="ada at example.com"), "custom_event": event}),
        ("EMPTY_ENVELOPE", {"identity": somebody}),
        ("EVENT_NAME_REQUIRED", {"identity": somebody, "custom_event": CustomEvent()}),
        ("UNKNOWN_CONNECTION", {"identity": somebody, "connection": "mars", "custom_event": event}),
        (
            "INVALID_AMOUNT",
            {
                "identity": somebody,
                "custom_event": CustomEvent(name="paid", attributes=attributes({"amount": money("1", "US")})),
            },
        ),
    ]
    return [_step(REFUSED, Fate.REJECTED, reason, event_time=time, **fields) for reason, fields in cases]


def skipped(person: Person, at: int) -> list[Step]:
    """What is valid, and not for Intercom: other types of events, commerce from the web, data of development."""
    about: dict[str, Any] = {"identity": person.identity, "event_time": Timestamp(seconds=at)}
    viewed = event_pb2.ProductAction(
        action=event_pb2.PRODUCT_ACTION_TYPE_VIEW_DETAIL, products=[event_pb2.Product(id="P-1", name="Seat")]
    )
    development = envelope_pb2.ENVIRONMENT_DEVELOPMENT
    return [
        _step(LEFT_OUT, Fate.SKIPPED, "UNSUPPORTED_EVENT_TYPE", **about, other_event=OtherEvent(type="screen_view")),
        _step(
            LEFT_OUT,
            Fate.SKIPPED,
            "COMMERCE_FROM_WEB",
            **about,
            source=envelope_pb2.SOURCE_WEB,
            commerce_event=CommerceEvent(product_action=viewed),
        ),
        _step(
            LEFT_OUT,
            Fate.SKIPPED,
            "DEVELOPMENT_DATA",
            **about,
            environment=development,
            custom_event=CustomEvent(name="test"),
        ),
    ]


def adjusted(person: Person, at: int) -> list[Step]:
    """What is changed on acceptance: names, long values, too many attributes, two events of one second."""
    many: dict[str, Value] = {f"answer {number}": number for number in range(1, 8)}
    web = purchase(person, at + 60, 1, envelope_pb2.SOURCE_WEB)
    web.envelope.user_attributes.extend(attributes({"coupon": "SPRING"}))
    twice = custom(person, at + 40, CLICKED, {"button": "cancel"})
    return [
        custom(person, at, "trial.extended", {"note": "n" * 300}, final_name="trial-extended"),
        custom(person, at + 20, "survey-answered", many),
        custom(person, at + 40, CLICKED, {"button": "save"}),
        Step(
            kind=twice.kind,
            envelope=twice.envelope,
            fate=Fate.DELIVERED,
            who=person.key,
            events=(Tracked(CLICKED, at + 41),),
        ),
        Step(
            kind="web purchase with attributes",
            envelope=web.envelope,
            fate=Fate.DELIVERED,
            who=person.key,
            stored={"coupon": "SPRING"},
        ),
    ]


def refused_by_intercom(at: int) -> list[Step]:
    """What Intercom refuses for good: contacts that somebody archived or blocked there."""
    cases = (
        (ARCHIVED, at, "CONTACT_ARCHIVED"),
        (ARCHIVED, at + 60, "CONTACT_ARCHIVED"),
        (BLOCKED, at, "CONTACT_BLOCKED"),
    )
    return [
        Step(
            kind="contact archived or blocked",
            envelope=sign_up(person, time).envelope,
            fate=Fate.DEAD_LETTER,
            who=person.key,
            reason=reason,
        )
        for person, time, reason in cases
    ]
