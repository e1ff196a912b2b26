"""An agent checks what no setting of its gateway changes, and keeps the sender's bytes."""

import pytest

from ingest.acceptance import NOW, sent
from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import AcceptedEnvelope, Environment, Finding, Priority
from intercomd_daemon.ingest.decide_forwarded import decide_forwarded
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decoded import CustomEvent, OtherEvent

RULES = {"default": ConnectionSettings(name="default", active=False)}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def decided(**given: object) -> Decision:
    return decide_forwarded(sent(**given), RULES, NOW + 0.25, "billing", TRACE)


def stored(**given: object) -> AcceptedEnvelope:
    decision = decided(**given)
    assert decision.disposition is Disposition.ACCEPTED
    assert decision.accepted is not None
    return decision.accepted


def test_complete_envelope_is_stored_unchanged() -> None:
    envelope = stored(encoded=b"as sent", traceparent="00-own")
    assert envelope.source == b"as sent"
    assert (envelope.operations, envelope.adjustments, envelope.caller) == ((), (), "billing")
    assert envelope.traceparent == "00-own"


def test_absent_fields_follow_the_senders_bytes() -> None:
    bytes_sent = Envelope(connection="default", identity={"customer_id": "u-1"}).SerializeToString()
    envelope = stored(encoded=bytes_sent, envelope_id="r-1/0", has_own_id=False, event_time=None, recognised=True)
    assert envelope.source.startswith(bytes_sent)
    read = Envelope.FromString(envelope.source)
    assert (read.envelope_id, read.traceparent, read.identity.customer_id) == ("r-1/0", TRACE, "u-1")
    assert (read.event_time.seconds, read.event_time.nanos) == (NOW, 250_000_000)
    assert (envelope.envelope_id, envelope.traceparent) == ("r-1/0", TRACE)


def test_identity_is_trimmed_for_the_lane_alone() -> None:
    envelope = stored(customer_id=" u-1 ", email=" Ann@Example.com ", encoded=b"as sent", traceparent=TRACE)
    assert (envelope.customer_id, envelope.email, envelope.source) == ("u-1", "ann@example.com", b"as sent")


@pytest.mark.parametrize(
    "given",
    [
        {"environment": Environment.DEVELOPMENT},
        {"event": OtherEvent("scroll")},
        {"customer_id": "undefined"},
        {"event": CustomEvent("Order placed", [(f"a{number}", "x") for number in range(90)])},
        {"user_attributes": [("plan", "x" * 999), ("", 1)], "event": None},
        {"adjustments": (Finding("FIELD_IGNORED", "", "unknown field 150"),)},
        {"event": CustomEvent(" a.b ", [])},
    ],
    ids=["development", "unsupported", "placeholder", "many", "values", "unknown field", "renamed event"],
)
def test_gateway_decides_what_settings_decide(given: dict[str, object]) -> None:
    decision = decided(**given)
    assert (decision.disposition, decision.violations, decision.adjustments) == (Disposition.ACCEPTED, (), ())


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"connection": "eu"}, "UNKNOWN_CONNECTION"),
        ({"customer_id": "", "email": " "}, "IDENTITY_REQUIRED"),
        ({"customer_id": "", "email": "ann"}, "INVALID_EMAIL"),
        ({"customer_id": "u" * 256}, "IDENTITY_TOO_LONG"),
        ({"envelope_id": "e" * 129}, "ENVELOPE_ID_TOO_LONG"),
        ({"event_time": 0}, "INVALID_TIME"),
        ({"event": None}, "EMPTY_ENVELOPE"),
        ({"event": CustomEvent("", [])}, "EVENT_NAME_REQUIRED"),
        ({"event": CustomEvent("e" * 256, [])}, "EVENT_NAME_TOO_LONG"),
        ({"violations": (Finding("ENVELOPE_TOO_LARGE", "", "too large"),)}, "ENVELOPE_TOO_LARGE"),
    ],
)
def test_fixed_limits_reject(given: dict[str, object], reason: str) -> None:
    decision = decided(**given)
    assert decision.disposition is Disposition.REJECTED
    assert [each.reason for each in decision.violations] == [reason]
    assert decision.accepted is None


def test_given_id_may_exceed_the_limit_of_a_senders() -> None:
    assert stored(envelope_id="r" * 128 + "/499", has_own_id=False).envelope_id.endswith("/499")


@pytest.mark.parametrize(("sent_time", "provisional"), [(None, NOW), (NOW - 5, NOW - 5), (NOW + 5_000, NOW)])
def test_event_time_is_provisional(sent_time: int | None, provisional: int) -> None:
    assert decided(event_time=sent_time).event_time == provisional
    assert decided(event_time=sent_time, event=None, user_attributes=[("plan", "pro")]).event_time is None


def test_priority_and_recognition_are_kept() -> None:
    decision = decided(priority=Priority.BULK, recognised=False)
    assert (decision.priority, decision.recognised) == (Priority.BULK, False)
