"""The sandbox asked about itself, over its own address, without a token."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from intercomd_daemon.sandbox import Sandbox, SandboxSettings


@pytest.fixture
async def owner(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the control API, which needs no token."""
    async with aiohttp.ClientSession(sandbox.base_url) as session:
        yield session


async def test_state_counts_contacts_calls_and_events(
    sandbox: Sandbox, client: aiohttp.ClientSession, owner: aiohttp.ClientSession
) -> None:
    sandbox.workspace.add_contact("7")
    for _ in range(2):
        async with client.post("/events", json={"event_name": "A", "created_at": 5, "user_id": "7"}):
            pass
    async with owner.get("/_sandbox/state") as answer:
        state = await answer.json()
    assert (state["calls"], state["events"], state["repeated_events"], state["contacts"]) == (2, 1, 1, 1)
    assert (state["illegal_requests"], state["event_names"]) == (0, ["a"])


async def test_calls_can_be_listed_filtered_and_cut(
    sandbox: Sandbox, client: aiohttp.ClientSession, owner: aiohttp.ClientSession
) -> None:
    for external_id in ("7", "8", "9"):
        async with client.post("/contacts", json={"external_id": external_id}):
            pass
    async with client.get("/me?nonsense=1"):
        pass

    async def listed(query: str) -> list[tuple[str, object]]:
        async with owner.get(f"/_sandbox/{query}") as answer:
            return [(call["path"], call["json"]) for call in await answer.json()]

    assert await listed("calls?path=/contacts&limit=2") == [
        ("/contacts", {"external_id": "8"}),
        ("/contacts", {"external_id": "9"}),
    ]
    assert await listed("calls?method=GET") == [("/me", None)]
    assert await listed("illegal_requests") == [("/me", None)]
    assert len(sandbox.calls) == 4


async def test_contacts_and_events_can_be_listed(
    sandbox: Sandbox, client: aiohttp.ClientSession, owner: aiohttp.ClientSession
) -> None:
    sandbox.workspace.add_contact("7")
    async with client.post("/events", json={"event_name": "A", "created_at": 5, "user_id": "7"}):
        pass
    async with owner.get("/_sandbox/contacts") as answer:
        assert [(one["external_id"], one["state"]) for one in await answer.json()] == [("7", "active")]
    async with owner.get("/_sandbox/events") as answer:
        assert [(one["name"], one["created_at"]) for one in await answer.json()] == [("A", 5)]


async def test_faults_can_be_ordered_watched_and_cleared(
    client: aiohttp.ClientSession, owner: aiohttp.ClientSession
) -> None:
    async with owner.post("/_sandbox/faults", json={"faults": ["GET /me 503 times=1", "* 500"]}) as answer:
        assert [one["fault"] for one in await answer.json()] == ["503", "500"]
    async with client.get("/me") as answer:
        assert answer.status == 503
    async with owner.get("/_sandbox/faults") as answer:
        assert [one["hit"] for one in await answer.json()] == [1, 0]
    async with owner.delete("/_sandbox/faults") as answer:
        assert await answer.json() == []
    async with client.get("/me") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("body", [{"faults": ["* 503", "* explode"]}, {"fault": "* 503"}, []])
async def test_unreadable_faults_are_refused_together(
    sandbox: Sandbox, owner: aiohttp.ClientSession, body: object
) -> None:
    async with owner.post("/_sandbox/faults", json=body) as answer:
        assert answer.status == 400
    assert sandbox.faults.counts == []


async def test_reset_forgets_everything_but_the_settings(owner: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    sandbox.workspace.add_contact("7")
    sandbox.fault("* 503")
    async with owner.post("/_sandbox/reset") as answer:
        assert (await answer.json())["contacts"] == 0
    assert (sandbox.contacts, sandbox.calls, sandbox.faults.counts) == ([], [], [])


async def test_control_calls_are_not_counted_recorded_or_hit_by_faults() -> None:
    async with (
        Sandbox(SandboxSettings(rate_limit=1)) as sandbox,
        aiohttp.ClientSession(sandbox.base_url) as owner,
    ):
        sandbox.fault("* 503")
        for _ in range(3):
            async with owner.get("/_sandbox/state") as answer:
                assert answer.status == 200
        async with owner.get("/_sandbox/nothing") as answer:
            assert answer.status == 404
        assert sandbox.calls == []
