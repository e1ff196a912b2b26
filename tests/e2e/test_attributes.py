"""Custom attributes through a real daemon: times, dates, lists, and values that Intercom refuses."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from daemons.process import Daemon, Start
from daemons.round_trip import CREATE, TRACK, UNARCHIVE, UPDATE, follow
from intercomd.v1.operations_pb2 import ReplayDeadLettersRequest
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd.values import Value
from intercomd_daemon.sandbox import CustomAttribute, Fault, Sandbox, SandboxSettings
from senders.client import envelope

DELIVERED = OutcomeType.OUTCOME_TYPE_DELIVERED
DEAD_LETTERED = OutcomeType.OUTCOME_TYPE_DEAD_LETTERED
WHEN = 1_700_000_000
ATTRIBUTES = (
    CustomAttribute("since", "date"),
    CustomAttribute("vip", "boolean"),
    CustomAttribute("seats", "integer"),
    CustomAttribute("score", "float"),
    CustomAttribute("plan", options=("free", "pro")),
    CustomAttribute("city"),
)
WORKSPACE = SandboxSettings(attributes=ATTRIBUTES)


@pytest.fixture
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A workspace with attributes of each type; a test's parameter may give it other settings."""
    async with Sandbox(getattr(request, "param", WORKSPACE)) as running:
        yield running
        assert running.illegal_requests == []


def held(sandbox: Sandbox, customer_id: str) -> Mapping[str, object]:
    """The custom attributes that the workspace holds of a user."""
    return next(contact.custom_attributes for contact in sandbox.contacts if contact.external_id == customer_id)


def created(sandbox: Sandbox) -> dict[str, str]:
    """The types with which attributes were created."""
    bodies = [msgspec.json.decode(call.body) for call in sandbox.calls if call.path == "/data_attributes" and call.body]
    return {body["name"]: body["data_type"] for body in bodies}


async def test_time_attribute_is_created_as_a_datetime(daemon: Daemon, sandbox: Sandbox) -> None:
    values: dict[str, Value] = {
        "renewal": Timestamp(seconds=WHEN),
        "birthday": Timestamp(seconds=-5),
        "seen_at": WHEN,
        "left_at": float(WHEN),
        "paid_at": WHEN * 1000,
        "looked_at": 12,
        "ratio_at": WHEN + 0.5,
        "total": WHEN,
    }
    result = await follow(daemon, sandbox, envelope("u1", update=values))
    assert created(sandbox) == {
        "renewal": "datetime",
        "birthday": "datetime",
        "seen_at": "datetime",
        "left_at": "datetime",
        "paid_at": "datetime",
        "looked_at": "float",
        "ratio_at": "float",
        "total": "float",
    }
    assert held(sandbox, "u1") == values | {"renewal": WHEN, "birthday": -5, "paid_at": WHEN}
    assert result.adjustments == ["VALUE_CONVERTED"] * 2


async def test_time_attribute_survives_a_restart_and_a_replay(daemon: Daemon, sandbox: Sandbox) -> None:
    there = sandbox.workspace.add_contact("u1")
    sandbox.workspace.archive(there.id)
    refused = await follow(daemon, sandbox, envelope("u1", update={"since": Timestamp(seconds=WHEN)}))
    assert refused.outcome.reason == "CONTACT_ARCHIVED"
    sandbox.fault(Fault(path="/data_attributes", status=503))
    sent = await daemon.publish(envelope("u2", update={"renewal": Timestamp(seconds=WHEN)}))
    await daemon.kill()
    sandbox.faults.clear()
    sandbox.workspace.unarchive(there.id)
    await daemon.start()
    await daemon.ended([sent.results[0].envelope_id])
    assert created(sandbox) == {"renewal": "datetime"}
    assert held(sandbox, "u2") == {"renewal": WHEN}
    await daemon.operations.ReplayDeadLetters(ReplayDeadLettersRequest(expected_count=1))
    await daemon.until(lambda: daemon.outcomes[refused.outcome.envelope_id] > 1)
    assert held(sandbox, "u1") == {"since": WHEN}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("since", WHEN * 1000 + 123, WHEN),
        ("since", f"{WHEN * 1000 + 123}", WHEN),
        ("since", WHEN * 1_000_000, WHEN),
        ("since", WHEN * 1_000_000_000, WHEN),
        ("since", -WHEN * 1000, -WHEN),
        ("since", WHEN + 0.75, WHEN),
        ("since", f" {WHEN}.75 ", WHEN),
        ("since", "2023-11-14T22:13:20Z", WHEN),
        ("since", "2023-11-14T23:13:20.5+01:00", WHEN),
        ("since", "2023-11-14", 1_699_920_000),
        ("vip", "True", True),
        ("vip", " false", False),
        ("vip", 1, True),
        ("vip", "0", False),
        ("seats", " 42\n", 42),
        ("seats", 42.0, 42),
        ("score", "19.90", 19.9),
    ],
)
async def test_value_of_another_type_is_converted_and_reported(
    daemon: Daemon, sandbox: Sandbox, name: str, value: Value, expected: object
) -> None:
    result = await follow(daemon, sandbox, envelope("u1", update={name: value, "city": "Bath"}))
    assert held(sandbox, "u1") == {name: expected, "city": "Bath"}
    assert (result.outcome.type, result.adjustments, result.calls) == (DELIVERED, ["VALUE_CONVERTED"], [CREATE])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", True),
        ("since", "99999999999999999999999"),
        ("since", 2**63 - 1),
        ("since", "soon"),
        ("since", ""),
        ("vip", "yes"),
        ("vip", 2),
        ("seats", "007"),
        ("seats", "9" * 30),
        ("score", "many"),
        ("plan", "enterprise"),
        ("plan", "Free"),
        ("plan", 5),
    ],
)
async def test_unconvertible_value_is_left_out_and_reported(
    daemon: Daemon, sandbox: Sandbox, name: str, value: Value
) -> None:
    result = await follow(daemon, sandbox, envelope("u1", update={name: value, "city": "Bath"}))
    assert held(sandbox, "u1") == {"city": "Bath"}
    assert (result.outcome.type, result.adjustments, result.calls) == (DELIVERED, ["ATTRIBUTE_DROPPED"], [CREATE])


UNNAMED = replace(WORKSPACE, attribute_refusals_named=False)


@pytest.mark.parametrize("sandbox", [WORKSPACE, UNNAMED], indirect=True)
async def test_value_outside_the_list_options_is_left_out_alone(daemon: Daemon, sandbox: Sandbox) -> None:
    """Other users, other attributes and other values of the same user are delivered, at no further call."""
    plans = {"u1": "free", "u2": "enterprise", "u3": "pro", "u4": "gold", "u5": "free"}
    for customer_id, plan in plans.items():
        result = await follow(daemon, sandbox, envelope(customer_id, update={"plan": plan, "city": "Bath"}))
        fits = plan in {"free", "pro"}
        assert held(sandbox, customer_id) == ({"plan": plan, "city": "Bath"} if fits else {"city": "Bath"})
        assert (result.adjustments, result.calls) == ([] if fits else ["ATTRIBUTE_DROPPED"], [CREATE])
    result = await follow(daemon, sandbox, envelope("u2", update={"plan": "pro"}))
    assert (held(sandbox, "u2")["plan"], result.calls, result.adjustments) == ("pro", [UPDATE], [])


@pytest.mark.parametrize("readable", [True, False])
async def test_value_refused_by_name_is_left_out_alone(daemon: Daemon, sandbox: Sandbox, readable: bool) -> None:
    """Also where the list of attributes does not follow why, or may not be read."""
    if readable:
        plain = [replace(attribute, options=()) for attribute in ATTRIBUTES]
        listed = {"data": [{"name": attribute.name, "data_type": attribute.data_type} for attribute in plain]}
        sandbox.fault(Fault("GET", "/data_attributes", body=msgspec.json.encode(listed).decode()))
    else:
        sandbox.fault(Fault("GET", "/data_attributes", status=403))
    result = await follow(daemon, sandbox, envelope("u1", update={"plan": "gold", "city": "Bath"}))
    assert (result.adjustments, result.calls) == (["ATTRIBUTE_DROPPED"], [CREATE, CREATE])
    assert held(sandbox, "u1") == {"city": "Bath"}
    result = await follow(daemon, sandbox, envelope("u2", update={"plan": "free", "city": "Bath"}))
    assert (result.adjustments, result.calls) == ([], [CREATE])
    result = await follow(daemon, sandbox, envelope("u3", update={"plan": "gold", "city": "Bath"}))
    assert (result.adjustments, result.calls) == (["ATTRIBUTE_DROPPED"], [CREATE])


DELETIONS = replace(WORKSPACE, deletion_seconds=1.0)


@pytest.mark.parametrize("sandbox", [DELETIONS], indirect=True)
async def test_contact_marked_for_deletion_is_dead_lettered_without_retries(start: Start, sandbox: Sandbox) -> None:
    """Recorded: in the first seconds after the DELETE, unarchiving is answered 500."""
    daemon = await start(connections={"default": {"unarchive": True}})
    there = sandbox.workspace.add_contact("u1")
    sandbox.workspace.delete(there.id)
    sandbox.fault(Fault("POST", f"/contacts/{there.id}/unarchive", status=500, times=1))
    result = await follow(daemon, sandbox, envelope("u1", "Seen", update={"city": "Bath"}))
    assert (result.outcome.type, result.outcome.reason) == (DEAD_LETTERED, "CONTACT_DELETED")
    assert (result.calls, result.adjustments) == ([CREATE, UNARCHIVE, UNARCHIVE], [])
    for sent in (envelope("u1", update={"city": "York"}), envelope("u1", "Came"), envelope("u1", "C", update={"a": 1})):
        again = await follow(daemon, sandbox, sent)
        assert (again.outcome.reason, again.calls, again.adjustments) == ("CONTACT_DELETED", [], [])


@pytest.mark.parametrize("status", [400, 422, 409])
async def test_refused_unarchiving_is_remembered(start: Start, sandbox: Sandbox, status: int) -> None:
    daemon = await start(connections={"default": {"unarchive": True}})
    there = sandbox.workspace.add_contact("u1")
    sandbox.workspace.archive(there.id)
    fault = sandbox.fault(Fault("POST", f"/contacts/{there.id}/unarchive", status=status))
    result = await follow(daemon, sandbox, envelope("u1", "Seen", update={"city": "Bath"}))
    assert (result.outcome.reason, result.calls, result.adjustments) == ("CONTACT_ARCHIVED", [CREATE, UNARCHIVE], [])
    again = await follow(daemon, sandbox, envelope("u1", "Came", update={"city": "York"}))
    assert (again.outcome.reason, again.calls, fault.hit) == ("CONTACT_ARCHIVED", [], 1)


@pytest.mark.parametrize("status", [404, 500, 503])
async def test_failed_unarchiving_is_retried(start: Start, sandbox: Sandbox, status: int) -> None:
    daemon = await start(connections={"default": {"unarchive": True}})
    there = sandbox.workspace.add_contact("u1")
    sandbox.workspace.archive(there.id)
    sandbox.fault(Fault("POST", f"/contacts/{there.id}/unarchive", status=status, times=1))
    result = await follow(daemon, sandbox, envelope("u1", "Seen", update={"city": "Bath"}))
    assert (result.outcome.type, result.adjustments) == (DELIVERED, [])
    assert result.calls[-2:] == [UPDATE, TRACK]
    assert (there.state, held(sandbox, "u1")) == ("active", {"city": "Bath"})
