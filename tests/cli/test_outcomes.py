"""Tests formatting outcomes and following the journal."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import click
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from daemons.process import WAIT_SECONDS, Daemon
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1 import outcome_pb2
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import Violation
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.cli.outcomes import (
    TYPE_NAMES,
    calls_of,
    follow,
    has_response,
    newest_sequence,
    outcome_fields,
    reasons_of,
    type_name,
    user_of,
)
from intercomd_daemon.cli.remote import operations
from intercomd_daemon.sandbox import Sandbox
from ports import free_port
from senders.client import envelope

ALL = messages.OutcomeFilter()


async def test_follow_continues_after_a_restart_without_a_gap(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        fixed = {"operations": {"grpc_listen": f"127.0.0.1:{free_port()}"}}
        daemon = await Daemon(tmp_path, sandbox.base_url, fixed).start()
        notices: list[str] = []
        async with operations(daemon.operations_address) as stub:
            assert await newest_sequence(stub) == 0
            following = follow(stub, ALL, 0, WAIT_SECONDS, notices.append)
            async with aclosing(following), asyncio.timeout(WAIT_SECONDS):
                await daemon.publish(envelope("1", "before", envelope_id="before"))
                first = await anext(following)
                await daemon.kill()
                again = await Daemon(tmp_path, sandbox.base_url, fixed).start()
                await again.publish(envelope("1", "after", envelope_id="after"))
                second = await anext(following)
            assert await newest_sequence(stub) == 2
        await again.close()
    assert [each.outcome.envelope_id for each in (first, second)] == ["before", "after"]
    assert notices == ["the daemon has gone away; waiting for it"]


async def test_follow_raises_when_its_patience_ends(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        address = daemon.operations_address
        await daemon.close()
    async with grpc.aio.insecure_channel(address) as channel:
        following = follow(OperationsServiceStub(channel), ALL, 0, 0.0, [].append)
        with pytest.raises(grpc.aio.AioRpcError):
            await anext(following)


CONTACT = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_CONTACT, type=outcome_pb2.OUTCOME_TYPE_DELIVERED)
REFUSED = outcome_pb2.Effect(
    kind=outcome_pb2.EFFECT_KIND_EVENT,
    event_name="paid",
    type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED,
    reason="REQUEST_INVALID",
    http_status=422,
)


EVENT = outcome_pb2.Effect(
    kind=outcome_pb2.EFFECT_KIND_EVENT, event_name="seen", type=outcome_pb2.OUTCOME_TYPE_DELIVERED
)
REFUSED_CONTACT = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_CONTACT, type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED)
UNCHANGED_CONTACT = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_CONTACT, type=outcome_pb2.OUTCOME_TYPE_UNCHANGED)


def outcome(*effects: outcome_pb2.Effect, **fields: object) -> outcome_pb2.Outcome:
    return outcome_pb2.Outcome(effects=effects, **fields)


def test_type_names_cover_every_type() -> None:
    known = set(outcome_pb2.OutcomeType.values()) - {outcome_pb2.OUTCOME_TYPE_UNSPECIFIED}
    assert set(TYPE_NAMES) == known


def test_type_name_of_a_later_version_is_its_number() -> None:
    assert type_name(outcome_pb2.OutcomeType.ValueType(99)) == "type-99"


@pytest.mark.parametrize(
    ("effects", "text"),
    [
        ((), "no call"),
        ((CONTACT,), "contact"),
        ((REFUSED,), "event paid"),
        ((CONTACT, REFUSED, REFUSED, REFUSED), "contact, event paid and 2 more"),
    ],
)
def test_calls_of_names_contact_and_events(effects: tuple[outcome_pb2.Effect, ...], text: str) -> None:
    assert calls_of(outcome(*effects)) == text


@pytest.mark.parametrize(
    ("type_of_outcome", "effects", "text"),
    [
        (outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, (CONTACT, REFUSED), "event paid"),
        (outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, (REFUSED_CONTACT, EVENT, EVENT), "contact"),
        (outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, (CONTACT, EVENT, REFUSED, EVENT, REFUSED), "event paid and 1 more"),
        (outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, (REFUSED_CONTACT, REFUSED), "contact, event paid"),
        (outcome_pb2.OUTCOME_TYPE_DISCARDED, (CONTACT, EVENT, REFUSED), "event paid"),
        (outcome_pb2.OUTCOME_TYPE_DELIVERED, (UNCHANGED_CONTACT, EVENT), "event seen"),
        (outcome_pb2.OUTCOME_TYPE_DELIVERED, (CONTACT, EVENT), "contact, event seen"),
        (outcome_pb2.OUTCOME_TYPE_UNCHANGED, (UNCHANGED_CONTACT,), "contact"),
        (outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, (CONTACT, EVENT), "contact, event seen"),
    ],
)
def test_calls_of_names_only_the_calls_that_decided_the_outcome(
    type_of_outcome: outcome_pb2.OutcomeType.ValueType, effects: tuple[outcome_pb2.Effect, ...], text: str
) -> None:
    assert calls_of(outcome(*effects, type=type_of_outcome)) == text


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ((CONTACT, REFUSED), True),
        ((outcome_pb2.Effect(type=outcome_pb2.OUTCOME_TYPE_DELIVERED, http_status=200), REFUSED_CONTACT), False),
        ((), False),
    ],
)
def test_has_response_only_if_a_deciding_call_has_one(effects: tuple[outcome_pb2.Effect, ...], expected: bool) -> None:
    assert has_response(outcome(*effects, type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED)) is expected


@pytest.mark.parametrize(
    "fields",
    [
        {"type": outcome_pb2.OUTCOME_TYPE_FORWARDED},
        {"type": outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, "violations": [Violation(reason="PLACEHOLDER_ID")]},
        {"type": outcome_pb2.OUTCOME_TYPE_SKIPPED, "violations": [Violation(reason="INACTIVE")]},
    ],
)
def test_calls_of_an_agents_outcome_are_the_gateways(fields: dict[str, object]) -> None:
    assert calls_of(outcome(**fields)) == ""


def test_calls_of_cuts_a_long_event_name() -> None:
    long = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_EVENT, event_name="e" * 255)
    assert calls_of(outcome(long)) == f"event {'e' * 79}…"


def test_calls_of_counts_events_without_details() -> None:
    """A full disk had no room for them."""
    event = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_EVENT, type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED)
    dead = outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
    assert calls_of(outcome(event, type=dead)) == "event"
    assert calls_of(outcome(event, event, event, type=dead)) == "event and 2 more"


def test_reasons_of_names_each_reason_once() -> None:
    assert reasons_of(outcome(CONTACT, REFUSED, REFUSED, reason="REQUEST_INVALID")) == "REQUEST_INVALID status 422"
    assert reasons_of(outcome(CONTACT)) == ""


def test_user_of_prefers_the_customer_id_and_escapes_control_characters() -> None:
    assert user_of(Identity(customer_id="42", email="a@b.c")) == "42"
    assert user_of(Identity(email="a@b\x1b.c")) == "a@b\\x1b.c"
    assert user_of(Identity(customer_id="u" * 255)) == "u" * 255


def test_outcome_fields_have_every_part() -> None:
    ended = outcome(
        REFUSED,
        connection="default",
        end_time=Timestamp(seconds=0),
        type=outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED,
        identity=Identity(customer_id="42"),
        envelope_id="e-1",
        replay=2,
    )
    assert click.unstyle("  ".join(outcome_fields(ended))) == (
        "1970-01-01T00:00:00Z  default  dead-lettered  42  event paid  REQUEST_INVALID status 422  e-1  replay 2"
    )
