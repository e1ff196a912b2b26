"""Tests `intercomd dead-letters`."""

import json
import re

import click
import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from google.protobuf.timestamp_pb2 import Timestamp

from daemons.commands import invoke
from daemons.process import Daemon
from intercomd.v1.operations_pb2 import DeadLetterFilter
from intercomd_daemon.cli.dead_letters import DeadLetterFilters, filter_from, filter_options
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

module_wide = pytest.mark.asyncio(loop_scope="module")


@click.command()
@filter_options
def command(**given_options: object) -> None:
    click.echo(text_format.MessageToString(filter_from(DeadLetterFilters(**given_options))))


def parse(*words: str) -> DeadLetterFilter:
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    return text_format.Parse(result.output, DeadLetterFilter())


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), DeadLetterFilter()),
        (("7", "8"), DeadLetterFilter(dead_letter_ids=["7", "8"])),
        (("--envelope-id", "a", "--envelope-id", "b"), DeadLetterFilter(envelope_ids=["a", "b"])),
        (("--customer-id", "42", "--connection", "eu"), DeadLetterFilter(customer_id="42", connection="eu")),
        (("--email", "a@b.c", "--reason", "EXPIRED"), DeadLetterFilter(email="a@b.c", reason="EXPIRED")),
        (("--from", "1970-01-02"), DeadLetterFilter(accept_time_from=Timestamp(seconds=86_400))),
        (("--to", "1970-01-01T00:00:09Z"), DeadLetterFilter(accept_time_to=Timestamp(seconds=9))),
    ],
)
def test_filter_has_a_field_for_each_option(words: tuple[str, ...], wanted: DeadLetterFilter) -> None:
    assert parse(*words) == wanted


def test_filter_rejects_an_invalid_time() -> None:
    assert CliRunner().invoke(command, ["--from", "yesterday"]).exit_code == 2


async def make_dead_letters(daemon: Daemon, sandbox: Sandbox, *envelope_ids: str) -> None:
    """Makes Intercom refuse an event of the customer `c-<id>` for each id."""
    faults = sandbox.fault(f"POST /events 422 times={len(envelope_ids)}")
    for envelope_id in envelope_ids:
        await daemon.publish(envelope(f"c-{envelope_id}", "refused", envelope_id=envelope_id))
        await daemon.ended([envelope_id])
    assert faults.hit == len(envelope_ids)


async def run(daemon: Daemon, *words: object, given: str = "") -> tuple[int, str, str]:
    result = await invoke("dead-letters", *words, "--operations", daemon.operations_address, input=given)
    return result.exit_code, result.stdout, result.stderr


@module_wide
async def test_list_applies_filter_and_limit(daemon: Daemon, sandbox: Sandbox) -> None:
    await make_dead_letters(daemon, sandbox, "l-1", "l-2", "l-3")
    code, output, _ = await run(daemon, "list")
    rows = output.splitlines()
    assert (code, len(rows), rows[:2]) == (0, 6, ["3 dead letters: 3 REQUEST_INVALID", ""])
    assert re.split("  +", rows[3])[2:] == ["REQUEST_INVALID status 422", "event refused", "default", "c-l-1", "l-1"]
    _, output, _ = await run(daemon, "list", "--limit", 2)
    assert output.splitlines()[0] == "3 dead letters: 3 REQUEST_INVALID; showing the oldest 2"
    assert [line.split()[-1] for line in output.splitlines()[3:]] == ["l-1", "l-2"]
    _, output, _ = await run(daemon, "list", "--limit", 2, "--newest")
    assert output.splitlines()[0] == "3 dead letters: 3 REQUEST_INVALID; showing the newest 2"
    assert [line.split()[-1] for line in output.splitlines()[3:]] == ["l-3", "l-2"]
    _, output, note = await run(daemon, "list", "--limit", 2, "--json")
    assert len(output.splitlines()) == 2
    assert note == "3 dead letters: 3 REQUEST_INVALID; showing the oldest 2; --limit shows more\n"
    assert (await run(daemon, "list", "--limit", 3, "--json"))[2] == ""
    _, output, _ = await run(daemon, "list", "--customer-id", "c-l-2", "--json")
    (letter,) = [json.loads(line) for line in output.splitlines()]
    assert letter["envelope"]["envelope_id"] == "l-2"
    assert await run(daemon, "list", "--reason", "EXPIRED") == (0, "0 dead letters\n", "")
    assert (await run(daemon, "discard", "--yes"))[:2] == (0, "3 dead letters discarded\n")


@module_wide
async def test_show_prints_envelope_calls_and_response(daemon: Daemon, sandbox: Sandbox) -> None:
    await make_dead_letters(daemon, sandbox, "s-1")
    _, output, _ = await run(daemon, "list", "--json")
    number = json.loads(output)["dead_letter_id"]
    code, output, _ = await run(daemon, "show", number)
    assert code == 0
    for shown in (
        f"Dead letter {number}\n",
        "  dead-lettered: REQUEST_INVALID status 422\n",
        "envelope s-1 of c-s-1 in default",
        '"customer_id": "c-s-1"',
        "event refused of ",
        "dead-lettered, REQUEST_INVALID, status 422, 1 call",
        "A fault of the sandbox refuses the call",
        f"`intercomd dead-letters replay {number}` makes the refused calls again.",
    ):
        assert shown in output
    code, output, _ = await run(daemon, "show", number, "--json")
    assert json.loads(output)["dead_letter_id"] == number
    assert (await run(daemon, "discard", number, "--yes"))[0] == 0


@module_wide
@pytest.mark.parametrize("identifier", ["1234567", "9" * 30, "no-such-envelope", "e" * 500, "\x1b[31m"])
async def test_show_of_an_unknown_id_fails(daemon: Daemon, identifier: str) -> None:
    code, output, errors = await run(daemon, "show", identifier)
    assert (code, output, "no dead letter has the id" in errors) == (1, "", True)
    assert "\x1b" not in errors


@module_wide
async def test_show_finds_a_dead_letter_by_its_envelope(daemon: Daemon, sandbox: Sandbox) -> None:
    await make_dead_letters(daemon, sandbox, "by-envelope")
    code, output, _ = await run(daemon, "show", "by-envelope")
    assert (code, "by-envelope of c-by-envelope" in output) == (0, True)
    assert (await run(daemon, "discard", "--yes"))[0] == 0


@module_wide
async def test_show_of_an_id_that_is_both_shows_both(daemon: Daemon, sandbox: Sandbox) -> None:
    """Senders number their envelopes, too: the id of one dead letter is the envelope id of another."""
    await make_dead_letters(daemon, sandbox, "both")
    number = json.loads((await run(daemon, "list", "--json"))[1])["dead_letter_id"]
    await make_dead_letters(daemon, sandbox, number)
    _, output, _ = await run(daemon, "show", number, "--json")
    shown = [json.loads(line)["envelope"]["envelope_id"] for line in output.splitlines()]
    assert shown == ["both", number]
    _, output, _ = await run(daemon, "show", number)
    assert output.count("Intercom's response:") == 2
    assert (await run(daemon, "discard", "--yes"))[0] == 0


@module_wide
@pytest.mark.parametrize("words", [("discard", ""), ("replay", "--customer-id", ""), ("discard", "--reason", " ")])
async def test_blank_filter_is_refused_and_does_not_select_everything(daemon: Daemon, words: tuple[str, ...]) -> None:
    code, output, errors = await run(daemon, *words, "--yes")
    assert (code, output, "is a shell variable unset" in errors) == (2, "", True)


@module_wide
@pytest.mark.parametrize("words", [("list",), ("discard", "--yes"), ("replay", "--yes")])
async def test_unknown_connection_is_reported(daemon: Daemon, words: tuple[str, ...]) -> None:
    code, output, errors = await run(daemon, *words, "--connection", "typo\x1b")
    assert (code, errors) == (0, "warning: the daemon has no connection typo\\x1b; it has: default\n")
    assert "dead letter" in output


@module_wide
@pytest.mark.parametrize("columns", [80, 140])
async def test_list_fits_the_terminal_and_keeps_ids_whole(daemon: Daemon, sandbox: Sandbox, columns: int) -> None:
    uuid = f"0198c2a5-7f3e-7c1b-9d4e-2b6f8a9{columns:05}"
    await make_dead_letters(daemon, sandbox, uuid)
    words = ("dead-letters", "list", "--operations", daemon.operations_address)
    result = await invoke(*words, env={"COLUMNS": str(columns)})
    assert uuid in result.stdout
    assert f"c-{uuid}" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert (await run(daemon, "discard", "--yes"))[0] == 0


@module_wide
async def test_replay_prints_the_number_and_asks_for_confirmation(daemon: Daemon, sandbox: Sandbox) -> None:
    await make_dead_letters(daemon, sandbox, "r-1", "r-2")
    code, output, errors = await run(daemon, "replay", given="n\n")
    assert (code, output, "This will replay 2 dead letters: 2 REQUEST_INVALID. Continue?" in errors) == (1, "", True)
    code, output, _ = await run(daemon, "replay", "--envelope-id", "r-1", given="y\n")
    assert (code, output.splitlines()[-1].split(";")[0]) == (0, "1 dead letter queued for replay")
    await daemon.until(lambda: daemon.outcomes["r-1"] == 2)
    code, output, _ = await run(daemon, "replay", "--yes", "--json")
    assert (code, json.loads(output)) == (0, {"count": 1})
    await daemon.until(lambda: daemon.outcomes["r-2"] == 2)
    assert [event.external_id for event in sandbox.events] == ["c-r-1", "c-r-2"]


@module_wide
async def test_replay_and_discard_without_a_match_do_not_ask(daemon: Daemon) -> None:
    assert await run(daemon, "discard", "--customer-id", "nobody") == (0, "no dead letter matches\n", "")
    assert await run(daemon, "replay", "--customer-id", "nobody", "--json") == (0, '{"count":0}\n', "")
