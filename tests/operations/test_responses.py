"""Nouns as the contract's messages."""

import msgspec
import pytest
from google.protobuf import json_format

from intercomd.v1 import envelope_pb2, identity_pb2, operations_pb2
from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus
from intercomd_daemon.envelope import AcceptedEnvelope, Finding
from intercomd_daemon.operations import responses
from intercomd_daemon.outcome import DeadLetter, Effect, EffectKind, Outcome, OutcomeType
from intercomd_daemon.spool.rows import LogUsage

NOW = 1_700_000_100.0
CONTACT = Effect(EffectKind.CONTACT, "", 0, OutcomeType.DELIVERED, "", 200, "req-1", 2)
EVENT = Effect(
    EffectKind.EVENT, "Signed up", 1_700_000_000, OutcomeType.DEAD_LETTERED, "REQUEST_INVALID", 422, "req-2", 1
)
OUTCOME = Outcome(
    envelope_id="order-1",
    connection="default",
    customer_id="c-1",
    email="ann@example.com",
    type=OutcomeType.DEAD_LETTERED,
    reason="REQUEST_INVALID",
    accept_time=1_700_000_000.25,
    end_time=1_700_000_001.0,
    effects=(CONTACT, EVENT),
    adjustments=(Finding("VALUE_TRUNCATED", "user_attributes[0].value", "cut at 255"),),
    replay=1,
    sequence=7,
)
STATUS = ConnectionStatus(
    name="default",
    state=ConnectionState.DELIVERING,
    reason="",
    since=1_700_000_000.0,
    app_id="abc12345",
    workspace_name="Shop",
    region="eu",
    calls=12,
    budget_limit=167,
    budget_plan=164,
    budget_remaining=100,
    window_seconds=10.0,
    window_ends=1_700_000_105.0,
    lanes_open=3,
    rows_read_ahead=4,
)


def test_outcome_keeps_every_field() -> None:
    assert json_format.MessageToDict(responses.outcome_message(OUTCOME), preserving_proto_field_name=True) == {
        "sequence": "7",
        "envelope_id": "order-1",
        "connection": "default",
        "identity": {"customer_id": "c-1", "email": "ann@example.com"},
        "type": "OUTCOME_TYPE_DEAD_LETTERED",
        "reason": "REQUEST_INVALID",
        "accept_time": "2023-11-14T22:13:20.250Z",
        "end_time": "2023-11-14T22:13:21Z",
        "effects": [
            {
                "kind": "EFFECT_KIND_CONTACT",
                "type": "OUTCOME_TYPE_DELIVERED",
                "http_status": 200,
                "intercom_request_id": "req-1",
                "attempts": 2,
            },
            {
                "kind": "EFFECT_KIND_EVENT",
                "event_name": "Signed up",
                "event_time": "2023-11-14T22:13:20Z",
                "type": "OUTCOME_TYPE_DEAD_LETTERED",
                "reason": "REQUEST_INVALID",
                "http_status": 422,
                "intercom_request_id": "req-2",
                "attempts": 1,
            },
        ],
        "adjustments": [{"reason": "VALUE_TRUNCATED", "field": "user_attributes[0].value", "message": "cut at 255"}],
        "replay": 1,
    }


@pytest.mark.parametrize("kind", OutcomeType)
def test_every_outcome_type_has_its_number_in_the_contract(kind: OutcomeType) -> None:
    message = responses.outcome_message(msgspec.structs.replace(OUTCOME, type=kind))
    assert json_format.MessageToDict(message)["type"] == f"OUTCOME_TYPE_{kind.name}"


def test_dead_letter_shows_the_senders_envelope_as_it_came() -> None:
    sent = envelope_pb2.Envelope(envelope_id="order-1", identity=identity_pb2.Identity(customer_id=" c-1 "))
    accepted = AcceptedEnvelope("order-1", "c-1", "", NOW, (), (), "", sent.SerializeToString())
    message = responses.dead_letter_message(DeadLetter(42, accepted, OUTCOME, '{"type":"error.list"}'))
    assert message.dead_letter_id == "42"
    assert message.envelope == sent
    assert message.outcome == responses.outcome_message(OUTCOME)
    assert message.answer_body == '{"type":"error.list"}'


def test_delivering_connection_shows_its_budget_and_no_trouble() -> None:
    usage = LogUsage(normal=5, bulk=6, parked_lanes=1, dead_letters=2, bytes=999, oldest_accept_time=NOW - 1.5)
    message = responses.connection_message(STATUS, usage, NOW)
    assert json_format.MessageToDict(message, preserving_proto_field_name=True) == {
        "name": "default",
        "app_id": "abc12345",
        "workspace_name": "Shop",
        "region": "eu",
        "state": "CONNECTION_STATE_DELIVERING",
        "waiting_normal": "5",
        "waiting_bulk": "6",
        "parked_lanes": "1",
        "oldest_age": "1.500s",
        "dead_letters": "2",
        "budget": {
            "limit": 167,
            "remaining": 100,
            "reset_time": "2023-11-14T22:15:05Z",
            "plan": 164,
            "window": "10s",
        },
        "calls_made": "12",
    }


def test_suspended_connection_shows_reason_start_and_next_probe() -> None:
    status = msgspec.structs.replace(
        STATUS,
        state=ConnectionState.SUSPENDED,
        reason="UNAUTHORIZED: put a valid token",
        next_probe=NOW + 5,
        last_error="401 unauthorized",
    )
    message = responses.connection_message(status, LogUsage(), NOW)
    assert message.state == operations_pb2.CONNECTION_STATE_SUSPENDED
    assert message.suspended_reason == "UNAUTHORIZED"
    assert message.suspended_since.seconds == 1_700_000_000
    assert message.next_probe_time.seconds == NOW + 5
    assert message.last_error == "put a valid token; 401 unauthorized"


@pytest.mark.parametrize(
    ("state", "probes", "says_why"),
    [
        (ConnectionState.VERIFYING, False, False),
        (ConnectionState.DELIVERING, False, False),
        (ConnectionState.DOWN, True, False),
        (ConnectionState.SUSPENDED, True, True),
        (ConnectionState.PAUSED, False, False),
        (ConnectionState.INACTIVE, False, False),
    ],
)
def test_each_connection_state_shows_its_fields(state: ConnectionState, probes: bool, says_why: bool) -> None:
    status = msgspec.structs.replace(STATUS, state=state, reason="WHY", next_probe=NOW)
    message = responses.connection_message(status, LogUsage(), NOW)
    assert operations_pb2.ConnectionState.Name(message.state) == f"CONNECTION_STATE_{state.name}"
    assert message.HasField("next_probe_time") is probes
    assert message.HasField("suspended_since") is says_why
    assert bool(message.suspended_reason) is says_why


def test_unknown_values_are_absent() -> None:
    unknown = msgspec.structs.replace(STATUS, budget_limit=0, state=ConnectionState.SUSPENDED, since=0.0)
    message = responses.connection_message(unknown, LogUsage(), NOW)
    for field in ("budget", "oldest_age", "suspended_since", "next_probe_time"):
        assert not message.HasField(field), field


def test_age_is_never_negative_after_the_clock_is_set_back() -> None:
    message = responses.connection_message(STATUS, LogUsage(oldest_accept_time=NOW + 9), NOW)
    assert message.oldest_age.ToMilliseconds() == 0
