"""`intercomd dead-letters`: listed, shown, sent again, given up."""

import json

import pytest
from commands import invoke
from daemons import Daemon
from sending import envelope

from intercomd_daemon.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def bury(daemon: Daemon, sandbox: Sandbox, *envelope_ids: str) -> None:
    """Has Intercom refuse an event of the customer `c-<id>` for each id."""
    faults = sandbox.fault(f"POST /events 422 times={len(envelope_ids)}")
    for envelope_id in envelope_ids:
        await daemon.publish(envelope(f"c-{envelope_id}", "refused", envelope_id=envelope_id))
        await daemon.ended([envelope_id])
    assert faults.hit == len(envelope_ids)


async def run(daemon: Daemon, *words: object, given: str = "") -> tuple[int, str, str]:
    result = await invoke("dead-letters", *words, "--operations", daemon.operations_address, input=given)
    return result.exit_code, result.stdout, result.stderr


async def test_they_are_listed_by_filter_and_page_by_page(daemon: Daemon, sandbox: Sandbox) -> None:
    await bury(daemon, sandbox, "l-1", "l-2", "l-3")
    code, output, _ = await run(daemon, "list")
    rows = output.splitlines()
    assert (code, len(rows), rows[-1]) == (0, 5, "3 dead letters")
    assert rows[1].split()[3:] == ["c-l-1", "event", "refused", "REQUEST_INVALID", "status", "422", "l-1"]
    _, output, _ = await run(daemon, "list", "--limit", 2)
    assert output.splitlines()[-1] == "3 dead letters; the oldest 2 are shown"
    _, output, _ = await run(daemon, "list", "--customer-id", "c-l-2", "--json")
    (letter,) = [json.loads(line) for line in output.splitlines()]
    assert letter["envelope"]["envelope_id"] == "l-2"
    assert await run(daemon, "list", "--reason", "EXPIRED") == (0, "0 dead letters\n", "")
    assert (await run(daemon, "discard", "--yes"))[:2] == (0, "3 dead letters given up\n")


async def test_one_is_shown_whole(daemon: Daemon, sandbox: Sandbox) -> None:
    await bury(daemon, sandbox, "s-1")
    _, output, _ = await run(daemon, "list", "--json")
    number = json.loads(output)["dead_letter_id"]
    code, output, _ = await run(daemon, "show", number)
    assert code == 0
    for shown in (
        "s-1 of c-s-1",
        "Intercom refused it for good",
        '"customer_id": "c-s-1"',
        "event 'refused' of ",
        "dead lettered, REQUEST_INVALID, status 422, 1 call",
        "The sandbox was told to refuse",
    ):
        assert shown in output
    code, output, _ = await run(daemon, "show", number, "--json")
    assert json.loads(output)["dead_letter_id"] == number
    assert (await run(daemon, "discard", number, "--yes"))[0] == 0


async def test_one_that_is_not_there_is_said_to_be_none(daemon: Daemon) -> None:
    code, output, errors = await run(daemon, "show", "1234567")
    assert (code, output, "no dead letter 1234567" in errors) == (1, "", True)


async def test_a_replay_says_how_many_and_asks_first(daemon: Daemon, sandbox: Sandbox) -> None:
    await bury(daemon, sandbox, "r-1", "r-2")
    code, output, errors = await run(daemon, "replay", given="n\n")
    assert (code, output, "This will replay 2 dead letters. Go on?" in errors) == (1, "", True)
    code, output, _ = await run(daemon, "replay", "--envelope-id", "r-1", given="y\n")
    assert (code, output.splitlines()[-1].split(";")[0]) == (0, "1 dead letter on the way again")
    await daemon.until(lambda: daemon.outcomes["r-1"] == 2)
    code, output, _ = await run(daemon, "replay", "--yes", "--json")
    assert (code, json.loads(output)) == (0, {"count": 1})
    await daemon.until(lambda: daemon.outcomes["r-2"] == 2)
    assert [event.external_id for event in sandbox.events] == ["c-r-1", "c-r-2"]


async def test_where_none_matches_nothing_is_asked(daemon: Daemon) -> None:
    assert await run(daemon, "discard", "--customer-id", "nobody") == (0, "no dead letter matches\n", "")
    assert await run(daemon, "replay", "--customer-id", "nobody", "--json") == (0, '{"count":0}\n', "")
