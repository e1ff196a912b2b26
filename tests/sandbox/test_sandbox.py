"""The sandbox as its users hold it: a real server, the record of what came in, and waiting for it."""

import asyncio
from typing import Any

import aiohttp
import pytest

from intercomd_daemon.sandbox import Fault, FaultSyntaxError, Sandbox, SandboxSettings

EVENT = {"event_name": "added-item", "created_at": 1_700_000_000, "user_id": "7", "metadata": {"quantity": 2}}


async def post(client: aiohttp.ClientSession, path: str, body: object) -> tuple[int, Any]:
    async with client.post(path, json=body) as answer:
        return answer.status, await answer.json(content_type=None) if answer.content_length else None


@pytest.mark.parametrize(("host", "base_url"), [("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80")])
def test_address_is_a_url(host: str, base_url: str) -> None:
    sandbox = Sandbox()
    sandbox.host, sandbox.port = host, 80
    assert sandbox.base_url == base_url


async def test_user_and_its_event_in_three_calls(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    assert (await post(client, "/events", EVENT))[0] == 404
    assert (await post(client, "/contacts", {"external_id": "7", "email": "ada@example.com"}))[0] == 200
    assert await post(client, "/events", EVENT) == (202, None)
    assert [(call.method, call.path, call.status, call.taken) for call in sandbox.calls] == [
        ("POST", "/events", 404, True),
        ("POST", "/contacts", 200, True),
        ("POST", "/events", 202, True),
    ]
    (contact,), (event,) = sandbox.contacts, sandbox.events
    assert (event.contact_id, event.external_id, event.tracked) == (contact.id, "7", {"quantity": 2})
    assert event.request_id == sandbox.calls[2].request_id
    assert sandbox.illegal_requests == []


async def test_call_is_recorded_whole_and_without_headers(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    await post(client, "/events?verbose=1", EVENT)
    (call,) = sandbox.calls
    assert (call.number, call.version, call.query, call.json) == (1, "2.16", {"verbose": "1"}, EVENT)
    assert call.ended >= call.time > 0
    assert "sandbox-token" not in repr(call)


async def test_undocumented_request_is_refused_and_recorded(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    status, answer = await post(client, "/contacts", {"external_id": "7", "user_id": "7"})
    assert (status, answer["errors"][0]["code"]) == (400, "parameter_invalid")
    (call,) = sandbox.illegal_requests
    assert call is sandbox.calls[0]
    assert "unknown field `user_id`" in call.illegal
    assert sandbox.contacts == []


async def test_repeats_are_separate_from_events(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    sandbox.workspace.add_contact("7")
    for _ in range(3):
        assert (await post(client, "/events", EVENT))[0] == 202
    assert (len(sandbox.events), len(sandbox.repeats)) == (1, 2)


async def test_fault_is_given_as_text_or_object_and_counts_its_hits(
    sandbox: Sandbox, client: aiohttp.ClientSession
) -> None:
    busy = sandbox.fault("POST /events 429 times=2 header=Retry-After:7")
    down = sandbox.fault(Fault("POST", "/events", 503, times=1))
    sandbox.workspace.add_contact("7")
    assert [(await post(client, "/events", EVENT))[0] for _ in range(4)] == [429, 429, 503, 202]
    assert (busy.hit, down.hit, len(sandbox.events)) == (2, 1, 1)
    assert [(call.taken, call.fault) for call in sandbox.calls] == [
        (False, "429"),
        (False, "429"),
        (False, "503"),
        (True, ""),
    ]
    with pytest.raises(FaultSyntaxError):
        sandbox.fault("POST /events perhaps")


async def test_chosen_429_looks_like_a_real_one() -> None:
    headers = {"Authorization": "Bearer sandbox-token", "Accept": "application/json"}
    async with (
        Sandbox(SandboxSettings(rate_limit=167)) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=headers) as client,
    ):
        sandbox.fault("* 429 header=Retry-After:7")
        async with client.get("/me") as answer:
            assert answer.status == 429
            assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("167", "0")
            assert answer.headers["Retry-After"] == "7"
            error = (await answer.json())["errors"][0]
        assert error == {"code": "rate_limit_exceeded", "message": "Exceeded rate limit of 167 in 10_seconds"}


async def test_wait_ends_with_the_awaited_call(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    sandbox.workspace.add_contact("7")
    three = asyncio.create_task(sandbox.wait_for(lambda one: len(one.calls) == 3))
    for second in range(3):
        assert not three.done()
        await post(client, "/events", EVENT | {"created_at": second})
    await three


async def test_wait_for_a_condition_that_holds_returns_at_once(sandbox: Sandbox) -> None:
    await sandbox.wait_for(lambda one: not one.calls, timeout_seconds=0)


async def test_wait_that_times_out_lists_the_received_calls(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    await post(client, "/events", EVENT)
    with pytest.raises(TimeoutError, match="1 calls, the newest: POST /events 404"):
        await sandbox.wait_for(lambda one: one.events, timeout_seconds=0.01)


async def test_wait_raises_the_error_of_its_condition(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    waiting = asyncio.create_task(sandbox.wait_for(lambda one: one.calls and one.events[0]))
    assert (await post(client, "/events", EVENT))[0] == 404
    with pytest.raises(IndexError):
        await waiting


async def test_same_seed_gives_the_same_ids_and_faults() -> None:
    async def run() -> tuple[list[int], list[str]]:
        headers = {"Authorization": "Bearer sandbox-token", "Accept": "application/json"}
        async with (
            Sandbox(SandboxSettings(seed=7)) as sandbox,
            aiohttp.ClientSession(sandbox.base_url, headers=headers) as client,
        ):
            sandbox.fault("* 503 probability=0.5")
            for number in range(20):
                await post(client, "/contacts", {"external_id": str(number)})
            return [call.status for call in sandbox.calls], [contact.id for contact in sandbox.contacts]

    first = await run()
    assert first == await run()
    assert set(first[0]) == {200, 503}


async def test_concurrent_calls_are_all_served(sandbox: Sandbox, client: aiohttp.ClientSession) -> None:
    sandbox.workspace.add_contact("7")
    bodies = [EVENT | {"created_at": second} for second in range(50)]
    answers = await asyncio.gather(*(post(client, "/events", body) for body in bodies))
    assert {status for status, _ in answers} == {202}
    assert sorted(event.created_at for event in sandbox.events) == list(range(50))
