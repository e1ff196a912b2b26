"""Connections side by side: each for itself, and what their settings change."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from daemons.process import Daemon, Start, connection_for
from daemons.round_trip import UNARCHIVE, follow
from intercomd.v1.envelope_pb2 import Environment, Priority
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import (
    ConnectionState,
    PauseConnectionRequest,
    ResumeConnectionRequest,
)
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.deliver.schedule.open_calls import MAIN_CALLS_MAX, RESERVE_CALLS_MAX
from intercomd_daemon.deliver.worker import SETTLING_MAX
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from senders.client import NOON, Refused, envelope

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
SKIPPED = Disposition.DISPOSITION_SKIPPED
UNDER_WAY = MAIN_CALLS_MAX + RESERVE_CALLS_MAX + SETTLING_MAX
"""Users whose calls may be under way, each of them slow, or their results on the way to the disk, at once."""


@pytest.fixture
async def other() -> AsyncIterator[Sandbox]:
    """A second workspace."""
    async with Sandbox(SandboxSettings(app_id="other")) as running:
        yield running
        assert running.illegal_requests == []


@pytest.fixture
def beside(tmp_path: Path, other: Sandbox) -> dict[str, object]:
    """The settings of a connection to it."""
    return connection_for(other.base_url, tmp_path / "token", app_id="other")


async def test_connections_deliver_to_their_own_workspaces(
    start: Start, beside: dict[str, object], sandbox: Sandbox, other: Sandbox
) -> None:
    """Also the same id and user: ids are known by connection."""
    daemon = await start(connections={"eu": beside})
    answer = await daemon.publish(
        envelope("u1", "Opened", envelope_id="one"),
        envelope("u1", "Opened", envelope_id="one", connection="eu"),
    )
    assert [result.disposition for result in answer.results] == [ACCEPTED, ACCEPTED]
    await daemon.until(lambda: daemon.outcomes["one"] == 2)
    assert [len(workspace.events) for workspace in (sandbox, other)] == [1, 1]
    assert {outcome.connection for outcome in await daemon.journal()} == {"default", "eu"}


async def test_connections_of_one_workspace_neither_hide_values_nor_merge_events(
    start: Start, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Each knows only what it has sent itself, and Intercom knows events by user, name and second."""
    daemon = await start(connections={"eu": connection_for(sandbox.base_url, tmp_path / "token")})
    plans = ["one", "two", "one", "two"]
    for index, plan in enumerate(plans):
        connection = ("default", "eu")[index % 2]
        update = envelope("u1", "Opened", update={"plan": plan}, envelope_id=f"{index}", connection=connection)
        (result,) = (await daemon.publish(update)).results
        assert result.event_time.seconds == NOON + index
        await daemon.ended([f"{index}"])
        contact = sandbox.workspace.contacts.find_user("u1")
        assert contact is not None
        assert contact.custom_attributes["plan"] == plan
    assert len(sandbox.events) == len(plans)


async def test_connection_in_a_dry_run_moves_no_events_of_the_one_that_it_tries_out(
    start: Start, sandbox: Sandbox, tmp_path: Path
) -> None:
    trial = connection_for(sandbox.base_url, tmp_path / "token", dry_run=True)
    daemon = await start(connections={"aside": trial})
    for name in ("aside", "default"):
        (result,) = (await daemon.publish(envelope("u1", "Opened", envelope_id=name, connection=name))).results
        assert result.event_time.seconds == NOON
    await daemon.ended(["aside", "default"])
    assert len(sandbox.events) == 1


async def test_failing_connection_keeps_its_envelopes_and_delays_no_other(
    start: Start, beside: dict[str, object], other: Sandbox
) -> None:
    daemon = await start(connections={"eu": beside})
    other.fault("* 503")
    sick = [f"sick-{number}" for number in range(20)]
    well = [f"well-{number}" for number in range(200)]
    await daemon.publish(*(envelope(name, "Opened", envelope_id=name, connection="eu") for name in sick))
    await daemon.publish(*(envelope(name, "Opened", envelope_id=name) for name in well))
    await daemon.ended(well)
    assert not any(daemon.outcomes[name] for name in sick)
    assert (await daemon.connection("eu")).waiting_normal == 20
    other.faults.clear()
    await daemon.ended(sick)
    assert len(other.events) == 20


async def test_connection_at_its_quota_leaves_the_others_theirs(
    start: Start, beside: dict[str, object], sandbox: Sandbox, other: Sandbox
) -> None:
    """Of 1 MiB each of two is sure of a quarter; a request for both is refused as a whole."""
    daemon = await start(spool={"bytes_max": "1MiB"}, connections={"eu": beside})
    await other.stop()
    await sandbox.stop()
    text = {"text": "x" * 20_000}
    answers = [
        daemon.publish(envelope("u1", "Filled", at=number, metadata=text, connection="eu")) for number in range(60)
    ]
    ends = await asyncio.gather(*answers, return_exceptions=True)
    refused = [Refused(end) for end in ends if isinstance(end, grpc.aio.AioRpcError)]
    assert 30 < len(answers) - len(refused) < 45
    for refusal in refused:
        refusal.must_be_not_now()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await daemon.publish(
            envelope("u2", "Both", metadata=text), envelope("u2", "Both", metadata=text, connection="eu")
        )
    Refused(ended.value).must_be_not_now()
    for number in range(10):
        await daemon.publish(envelope("u1", "Room", at=number, metadata=text, envelope_id=str(number)))
    await sandbox.start()
    await daemon.ended([str(number) for number in range(10)])


async def test_development_data_goes_to_the_development_connection(
    start: Start, beside: dict[str, object], sandbox: Sandbox, other: Sandbox
) -> None:
    daemon = await start(connections={"default": {"development_connection": "dev"}, "dev": beside})
    development = Environment.ENVIRONMENT_DEVELOPMENT
    answer = await daemon.publish(
        envelope("u1", "Real", envelope_id="real"),
        envelope("u1", "Tried", envelope_id="tried", environment=development),
        envelope("u1", "Tried", connection="dev", environment=development),
    )
    assert [result.disposition for result in answer.results] == [ACCEPTED, ACCEPTED, SKIPPED]
    await daemon.ended(["real", "tried"])
    assert [event.name for event in sandbox.events] == ["Real"]
    assert [event.name for event in other.events] == ["Tried"]


async def test_inactive_connection_accepts_nothing_and_makes_no_calls(
    start: Start, beside: dict[str, object], other: Sandbox
) -> None:
    daemon = await start(connections={"eu": {**beside, "active": False}})
    answer = await daemon.publish(envelope("u1", "Opened", connection="eu"))
    (result,) = answer.results
    assert (result.disposition, result.violations[0].reason) == (SKIPPED, "CONNECTION_INACTIVE")
    assert (await daemon.connection("eu")).state == ConnectionState.CONNECTION_STATE_INACTIVE
    assert other.calls == []


async def test_dry_run_decides_and_counts_but_only_reads(start: Start, sandbox: Sandbox) -> None:
    daemon = await start(connections={"default": {"dry_run": True}})
    await daemon.publish(envelope("u1", "Opened", update={"plan": "gold"}, envelope_id="dry"))
    await daemon.ended(["dry"])
    assert {call.method for call in sandbox.calls} == {"GET"}
    assert not sandbox.contacts
    assert not sandbox.attributes
    (outcome,) = await daemon.journal()
    assert (outcome.type, outcome.reason) == (OutcomeType.OUTCOME_TYPE_SKIPPED, "DRY_RUN")
    assert [effect.reason for effect in outcome.effects] == ["DRY_RUN", "DRY_RUN"]
    for call in ("POST /data_attributes", "POST /contacts", "POST /events"):
        assert daemon.logged("call_not_made", connection="default", call=call, level="info")


async def test_bulk_envelopes_follow_all_normal_ones(daemon: Daemon, sandbox: Sandbox) -> None:
    """Of a backlog of both, in whatever order they came: all normal ones, then the bulk ones; each user's in order."""
    bulk = Priority.PRIORITY_BULK
    await daemon.operations.PauseConnection(PauseConnectionRequest())
    imported = [
        envelope(f"bulk-{n % 150}", "Imported", at=n, envelope_id=f"bulk-{n}", priority=bulk, metadata={"n": n})
        for n in range(300)
    ]
    clicked = [
        envelope(f"normal-{n % 500}", "Clicked", at=n, envelope_id=f"normal-{n}", metadata={"n": n})
        for n in range(1000)
    ]
    for sent in (imported, clicked[:500], clicked[500:]):
        await daemon.publish(*sent)
    status = await daemon.connection()
    assert (status.waiting_normal, status.waiting_bulk) == (1000, 300)
    await daemon.operations.ResumeConnection(ResumeConnectionRequest())
    await daemon.ended([sent.envelope_id for sent in (*imported, *clicked)])
    names = [event.name for event in sandbox.events]
    first = len(clicked) - UNDER_WAY
    assert names[:first] == first * ["Clicked"], "the last lanes with normal ones leave some open"
    for user in {event.external_id for event in sandbox.events}:
        arrived = [event.metadata["n"] for event in sandbox.events if event.external_id == user]
        assert arrived == sorted(arrived)


async def test_archived_contact_is_unarchived_if_the_setting_says_so(start: Start, sandbox: Sandbox) -> None:
    daemon = await start(connections={"default": {"unarchive": True}})
    there = sandbox.workspace.add_contact("o1", "o1@example.org")
    sandbox.workspace.archive(there.id)
    result = await follow(daemon, sandbox, envelope("o1", email="o1@example.org", update={"plan": "gold"}))
    assert result.outcome.type == OutcomeType.OUTCOME_TYPE_DELIVERED
    assert UNARCHIVE in result.calls
    assert (there.state, there.custom_attributes) == ("active", {"plan": "gold"})


async def test_token_of_another_workspace_sends_nothing(start: Start, sandbox: Sandbox) -> None:
    daemon = await start(connections={"default": {"app_id": "mine"}})
    result = await daemon.heard("connection", state="suspended")
    assert "mine" in result["reason"]
    assert "sandbox" in result["reason"]
    answer = await daemon.publish(envelope("u1", "Opened", envelope_id="kept"))
    assert answer.results[0].disposition == ACCEPTED
    status = await daemon.connection()
    assert (status.state, status.suspended_reason) == (ConnectionState.CONNECTION_STATE_SUSPENDED, "APP_ID_MISMATCH")
    assert {call.path for call in sandbox.calls} == {"/me"}
