"""Every envelope gets one disposition, by the precedence of the contract; accepted ones can be delivered."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingest.acceptance import sent
from intercomd.v1 import attribute_pb2, event_pb2
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.envelope import (
    AcceptedEnvelope,
    Environment,
    Finding,
    Link,
    Money,
    Priority,
    Source,
    Time,
    TrackEvent,
    UpdateContact,
    operations_of,
)
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decode import decode_publish
from intercomd_daemon.ingest.decoded import (
    CommerceEvent,
    CustomEvent,
    DecodedValue,
    Impressions,
    OtherEvent,
    Product,
    ProductAction,
    SessionEnd,
)
from intercomd_daemon.ingest.settings import IngestSettings

TRACE = f"00-{1:032x}-{2:016x}-01"
NOW = 1_760_000_000.75
DEVELOPMENT = Environment.DEVELOPMENT
RULES = {
    "default": ConnectionSettings(name="default", session_end_name=""),
    "off": ConnectionSettings(name="off", active=False),
    "open": ConnectionSettings(name="open", development_connection="test", commerce_from_web=True),
    "test": ConnectionSettings(name="test", development_connection="default"),
    "to-off": ConnectionSettings(name="to-off", development_connection="off"),
    "to-nowhere": ConnectionSettings(name="to-nowhere", development_connection="nowhere"),
    "off-to-test": ConnectionSettings(name="off-to-test", active=False, development_connection="test"),
}
PURCHASE = CommerceEvent(
    ProductAction("purchase", [Product(*["p"] + [""] * 4, None, *[""] * 4, [])] * 2, *[""] * 8, None, "", ""),
    "",
    "",
    [],
)


def brief(result: Decision) -> tuple[Disposition, list[str], list[str]]:
    return (
        result.disposition,
        [finding.reason for finding in result.violations],
        [finding.reason for finding in result.adjustments],
    )


def test_accepted_envelope_has_the_operations_to_deliver() -> None:
    envelope = sent(
        email=" Ada@B.c ",
        user_attributes=[("plan", "pro")],
        removed_user_attributes=["old"],
        event=CustomEvent("Order.placed", [("a", 1)]),
        priority=Priority.BULK,
        traceparent="nonsense",
        recognised=False,
    )
    adjustments = decide(envelope, RULES, NOW).adjustments
    assert [finding.reason for finding in adjustments] == ["EVENT_NAME_CHANGED", "FIELD_IGNORED"]
    assert decide(envelope, RULES, NOW) == Decision(
        "e-1",
        "default",
        Disposition.ACCEPTED,
        (),
        adjustments,
        0,
        Priority.BULK,
        False,
        AcceptedEnvelope(
            "e-1",
            "u-1",
            "ada@b.c",
            NOW,
            operations_of(
                "u-1",
                "ada@b.c",
                {"plan": "pro", "old": None},
                (TrackEvent("Order-placed", envelope.event_time, b'{"a":1}'),),
            ),
            adjustments,
            "",
            b"encoded",
        ),
        envelope.event_time,
    )


@pytest.mark.parametrize(
    ("given_fields", "disposition", "reason", "connection"),
    [
        ({"connection": "nowhere", "customer_id": ""}, Disposition.REJECTED, "UNKNOWN_CONNECTION", "nowhere"),
        ({"connection": "off", "customer_id": ""}, Disposition.SKIPPED, "CONNECTION_INACTIVE", "off"),
        ({"connection": "off", "environment": DEVELOPMENT}, Disposition.SKIPPED, "CONNECTION_INACTIVE", "off"),
        (
            {"connection": "off-to-test", "environment": DEVELOPMENT},
            Disposition.SKIPPED,
            "CONNECTION_INACTIVE",
            "off-to-test",
        ),
        ({"environment": DEVELOPMENT, "customer_id": ""}, Disposition.SKIPPED, "DEVELOPMENT_DATA", "default"),
        ({"connection": "to-off", "environment": DEVELOPMENT}, Disposition.SKIPPED, "CONNECTION_INACTIVE", "off"),
        (
            {"connection": "to-nowhere", "environment": DEVELOPMENT},
            Disposition.REJECTED,
            "UNKNOWN_CONNECTION",
            "to-nowhere",
        ),
        ({"customer_id": "", "event": OtherEvent("x")}, Disposition.REJECTED, "IDENTITY_REQUIRED", "default"),
        ({"event": OtherEvent("screen_view")}, Disposition.SKIPPED, "UNSUPPORTED_EVENT_TYPE", "default"),
        ({"event": SessionEnd("", None, [])}, Disposition.SKIPPED, "EVENT_TYPE_OFF", "default"),
        ({"event": PURCHASE, "source": Source.WEB}, Disposition.SKIPPED, "COMMERCE_FROM_WEB", "default"),
        ({"event": None}, Disposition.REJECTED, "EMPTY_ENVELOPE", "default"),
        (
            {"event": None, "user_attributes": [("id", "7")]},
            Disposition.SKIPPED,
            "NOTHING_LEFT",
            "default",
        ),
        ({"event": CustomEvent(" ", [])}, Disposition.REJECTED, "EVENT_NAME_REQUIRED", "default"),
        ({"event_time": 0}, Disposition.REJECTED, "INVALID_TIME", "default"),
        ({"envelope_id": "x" * 129}, Disposition.REJECTED, "ENVELOPE_ID_TOO_LONG", "default"),
        (
            {"event": CommerceEvent(Impressions([]), "", "", []), "source": Source.WEB},
            Disposition.REJECTED,
            "COMMERCE_EVENT_EMPTY",
            "default",
        ),
    ],
)
def test_decide_follows_the_precedence_of_the_contract(
    given_fields: dict[str, object], disposition: Disposition, reason: str, connection: str
) -> None:
    result = decide(sent(**given_fields), RULES, NOW)
    assert (result.disposition, [finding.reason for finding in result.violations]) == (disposition, [reason])
    assert all(finding.message for finding in result.violations)
    assert (result.connection, result.accepted) == (connection, None)


def test_development_data_goes_to_the_development_connection_only() -> None:
    result = decide(sent(connection="open", environment=DEVELOPMENT), RULES, NOW)
    assert (result.disposition, result.connection) == (Disposition.ACCEPTED, "test")


@pytest.mark.parametrize(
    ("event", "source", "reason"),
    [
        (OtherEvent("x"), Source.SERVER, "UNSUPPORTED_EVENT_TYPE"),
        (SessionEnd("x" * 300, 5, []), Source.SERVER, "EVENT_TYPE_OFF"),
        (PURCHASE, Source.WEB, "COMMERCE_FROM_WEB"),
    ],
)
def test_skipped_event_leaves_the_attributes(event: object, source: Source, reason: str) -> None:
    result = decide(sent(event=event, source=source, removed_user_attributes=["old"]), RULES, NOW)
    assert brief(result) == (Disposition.ACCEPTED, [], ["EVENT_SKIPPED"])
    assert result.adjustments[0].message.startswith(reason)
    assert result.accepted is not None
    assert result.accepted.operations == (UpdateContact({"old": None}),)


def test_skipped_event_must_be_valid() -> None:
    bad = SessionEnd("", -1, [("", 1)])
    result = decide(sent(event=bad, user_attributes=[("a", 1)]), RULES, NOW)
    assert brief(result) == (Disposition.REJECTED, ["INVALID_TIME", "INVALID_ATTRIBUTE_NAME"], [])


def test_rejected_envelope_reports_all_violations_without_adjustments() -> None:
    envelope = sent(
        envelope_id="x" * 200,
        customer_id="x" * 300,
        email="nobody",
        event_time=5,
        user_attributes=[("a", None), ("a.b", 1)],
        event=CustomEvent("", [("", 1)]),
    )
    assert brief(decide(envelope, RULES, NOW)) == (
        Disposition.REJECTED,
        [
            "ENVELOPE_ID_TOO_LONG",
            "IDENTITY_TOO_LONG",
            "INVALID_EMAIL",
            "INVALID_TIME",
            "EVENT_NAME_REQUIRED",
            "INVALID_ATTRIBUTE_NAME",
        ],
        [],
    )


INVALID_VALUES = [None, float("nan"), float("-inf"), Link("/pricing", ""), Money("5", "ZZZ"), Time(2**62)]


@pytest.mark.parametrize("value", INVALID_VALUES)
def test_invalid_value_drops_its_attribute_and_keeps_the_event(value: DecodedValue) -> None:
    envelope = sent(user_attributes=[("a", value), ("b", 1)], event=CustomEvent("E", [("c", value), ("d", 1)]))
    decision = decide(envelope, RULES, NOW)
    assert brief(decision) == (Disposition.ACCEPTED, [], ["ATTRIBUTE_DROPPED", "ATTRIBUTE_DROPPED"])
    assert decision.accepted is not None
    assert decision.accepted.contact_update.attributes == {"b": 1}
    assert decision.accepted.events[0].metadata == b'{"d":1}'


@pytest.mark.parametrize("value", INVALID_VALUES)
def test_invalid_value_rejects_the_envelope_if_on_excess_is_reject(value: DecodedValue) -> None:
    strict = {"default": ConnectionSettings(name="default", limits=LimitSettings(on_excess="reject"))}
    decision = decide(sent(user_attributes=[("a", value), ("b", 1)]), strict, NOW)
    assert decision.disposition is Disposition.REJECTED
    assert decision.violations[0].reason in {"INVALID_ATTRIBUTE_VALUE", "INVALID_AMOUNT"}
    assert not decision.adjustments


def test_envelope_of_invalid_values_alone_is_skipped() -> None:
    decision = decide(sent(user_attributes=[("a", None), ("b", float("inf"))], event=None), RULES, NOW)
    assert brief(decision) == (Disposition.SKIPPED, ["NOTHING_LEFT"], ["ATTRIBUTE_DROPPED", "ATTRIBUTE_DROPPED"])


@pytest.mark.parametrize(("customer_id", "reason"), [("NULL", "PLACEHOLDER_ID"), ("a\0", "INVALID_CUSTOMER_ID")])
def test_placeholder_customer_id_is_rejected(customer_id: str, reason: str) -> None:
    assert brief(decide(sent(customer_id=customer_id), RULES, NOW))[:2] == (Disposition.REJECTED, [reason])


def test_findings_of_decoding_are_in_the_decision() -> None:
    unsupported = (Finding("UNSUPPORTED_FIELD", "", "m"),)
    result = decide(sent(event=None, customer_id="", violations=unsupported), RULES, NOW)
    assert brief(result)[1] == ["UNSUPPORTED_FIELD", "IDENTITY_REQUIRED"]
    ignored = (Finding("FIELD_IGNORED", "", "m"),)
    assert brief(decide(sent(adjustments=ignored), RULES, NOW)) == (Disposition.ACCEPTED, [], ["FIELD_IGNORED"])


def test_id_made_by_the_daemon_is_not_limited() -> None:
    assert (
        decide(sent(envelope_id="r" * 128 + "/499", has_own_id=False), RULES, NOW).disposition is Disposition.ACCEPTED
    )


def test_email_alone_and_attributes_alone_are_accepted() -> None:
    result = decide(sent(customer_id="", email="A@b", event=None, user_attributes=[("a", 1)]), RULES, NOW)
    assert result.accepted is not None
    assert (result.accepted.customer_id, result.accepted.email, result.accepted.events) == ("", "a@b", ())


def test_event_without_a_time_gets_the_present_time() -> None:
    result = decide(sent(event_time=None), RULES, NOW)
    assert result.accepted is not None
    assert result.accepted.events[0].created_at == 1_760_000_000


def test_purchase_is_expanded() -> None:
    result = decide(sent(event=PURCHASE, connection="open", source=Source.WEB), RULES, NOW)
    assert result.accepted is not None
    assert len(result.accepted.events) == 3
    assert result.event_time == result.accepted.events[0].created_at


def test_decision_without_an_event_has_no_event_time() -> None:
    assert decide(sent(event=None, user_attributes=[("a", 1)]), RULES, NOW).event_time is None
    assert decide(sent(event=OtherEvent("x"), user_attributes=[("a", 1)]), RULES, NOW).event_time is None


@pytest.mark.parametrize(("own", "of_the_call", "expected"), [(TRACE, "", TRACE), ("", TRACE, TRACE), ("", "", "")])
def test_decision_has_the_trace_context_of_the_envelope(own: str, of_the_call: str, expected: str) -> None:
    result = decide(sent(traceparent=own), RULES, NOW, traceparent=of_the_call)
    assert result.accepted is not None
    assert result.traceparent == result.accepted.traceparent == expected


def test_session_end_becomes_an_event_unless_it_is_off() -> None:
    result = decide(sent(event=SessionEnd("s", None, []), connection="open"), RULES, NOW)
    assert result.accepted is not None
    assert result.accepted.events[0].metadata == b'{"session_id":"s"}'


def test_skipped_envelope_reports_its_adjustments() -> None:
    result = decide(sent(event=None, user_attributes=[("role", "x")]), RULES, NOW)
    assert brief(result) == (Disposition.SKIPPED, ["NOTHING_LEFT"], ["ATTRIBUTE_DROPPED"])


TEXT = st.text(max_size=12) | st.sampled_from(["", " ", "$", "a.b", "id", "phone", "avatar", "Mobile", "x" * 300])
SECONDS = st.integers(-(2**63), 2**63 - 1) | st.integers(1_759_000_000, 1_761_000_000)


def timestamp(seconds: int) -> dict[str, int]:
    return {"seconds": seconds}


VALUE = st.one_of(
    st.builds(attribute_pb2.AttributeValue),
    st.builds(attribute_pb2.AttributeValue, string_value=TEXT),
    st.builds(attribute_pb2.AttributeValue, integer_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(attribute_pb2.AttributeValue, number_value=st.floats()),
    st.builds(attribute_pb2.AttributeValue, boolean_value=st.booleans()),
    st.builds(attribute_pb2.AttributeValue, time_value=SECONDS.map(timestamp)),
    st.builds(
        attribute_pb2.AttributeValue,
        money_value=st.builds(
            attribute_pb2.Money, amount=st.sampled_from(["1.005", "x"]), currency_code=st.just("USD")
        ),
    ),
    st.builds(
        attribute_pb2.AttributeValue,
        link_value=st.builds(attribute_pb2.Link, url=st.sampled_from(["https://e.com", "ftp://x"]), label=TEXT),
    ),
    st.builds(
        attribute_pb2.AttributeValue, list_value=st.builds(attribute_pb2.StringList, values=st.lists(TEXT, max_size=5))
    ),
    st.builds(attribute_pb2.AttributeValue, tag_value=st.builds(attribute_pb2.Tag)),
)
GOOD_VALUE = st.builds(attribute_pb2.AttributeValue, string_value=TEXT)
ATTRIBUTES = st.lists(st.builds(attribute_pb2.Attribute, name=TEXT, value=VALUE), max_size=4) | st.lists(
    st.builds(attribute_pb2.Attribute, name=st.text("abc", min_size=1), value=GOOD_VALUE), max_size=12
)
ENVELOPES = st.fixed_dictionaries(
    {
        "envelope_id": TEXT,
        "connection": st.sampled_from(["", "open", "off", "nowhere"]),
        "identity": st.builds(Identity, customer_id=TEXT, email=TEXT | st.emails()),
        "source": st.integers(-1, 7),
        "user_attributes": ATTRIBUTES,
        "removed_user_attributes": st.lists(TEXT, max_size=3),
        "environment": st.integers(0, 3),
        "priority": st.integers(0, 3),
        "traceparent": TEXT,
    },
    optional={"event_time": SECONDS.map(timestamp)},
)
EVENTS = st.one_of(
    st.just({}),
    st.builds(event_pb2.CustomEvent, name=TEXT, attributes=ATTRIBUTES).map(lambda event: {"custom_event": event}),
    st.builds(event_pb2.OtherEvent, type=TEXT).map(lambda event: {"other_event": event}),
    st.builds(event_pb2.SessionEndEvent, session_id=TEXT, duration=SECONDS.map(timestamp), attributes=ATTRIBUTES).map(
        lambda event: {"session_end_event": event}
    ),
    st.builds(
        event_pb2.CommerceEvent,
        product_action=st.builds(
            event_pb2.ProductAction,
            action=st.integers(0, 12),
            products=st.lists(st.builds(event_pb2.Product, id=TEXT, attributes=ATTRIBUTES), max_size=2),
        ),
        attributes=ATTRIBUTES,
    ).map(lambda event: {"commerce_event": event}),
)


@given(ENVELOPES, EVENTS, st.sampled_from(["trim", "reject"]), st.integers(0, 8))
def test_any_envelope_gets_one_disposition_and_accepted_ones_are_within_limits(
    fields: dict[str, object], event: dict[str, object], on_excess: str, maximum: int
) -> None:
    request = PublishRequest(envelopes=[Envelope(**fields, **event)])
    (sent,) = decode_publish(request.SerializeToString(), IngestSettings(), lambda: "new").envelopes
    rules = {
        name: replace(
            each, limits=LimitSettings(on_excess=on_excess, event_attributes_max=maximum, user_attributes_max=maximum)
        )
        for name, each in RULES.items()
    }
    result = decide(sent, rules, NOW)
    assert result.disposition in {Disposition.ACCEPTED, Disposition.SKIPPED, Disposition.REJECTED}
    assert bool(result.violations) is (result.accepted is None)
    assert (result.accepted is not None) is (result.disposition is Disposition.ACCEPTED)
    if result.accepted is not None:
        _check(result.accepted, maximum)


def _check(accepted: AcceptedEnvelope, maximum: int) -> None:
    assert accepted.operations
    update = accepted.contact_update.attributes if accepted.contact_update else {}
    assert accepted.customer_id or accepted.email
    assert len(update) <= maximum
    pairs = [list(update.items())]
    for event in accepted.events:
        assert 1 <= len(event.name) <= 255
        assert 946_684_800 <= event.created_at <= NOW + 60 + 2
        metadata = json.loads(event.metadata or b"{}")
        assert len(metadata) <= maximum
        pairs.append(list(metadata.items()))
    for name, value in (pair for group in pairs for pair in group):
        assert 1 <= len(name) <= 190
        assert not isinstance(value, str) or len(value) <= 255
