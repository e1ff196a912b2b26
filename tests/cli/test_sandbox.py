"""Tests `intercomd sandbox`."""

import json
import re
import tomllib
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from daemons.commands import Command, invoke
from intercomd_daemon.sandbox import Recorded, Sandbox
from intercomd_daemon.sandbox.fault_text import OPTIONS
from intercomd_daemon.sandbox.faults import Action

Launch = Callable[..., Awaitable[Command]]


async def read_settings(command: Command) -> str:
    """Returns what the command prints when it starts."""
    lines = []
    while not (lines and lines[-1].startswith("Received data")):
        lines.append(await command.line())
    return "".join(lines)


async def test_sandbox_prints_settings_for_a_daemon_and_ends_with_ctrl_c(launch: Launch) -> None:
    command = await launch("sandbox", "--port", 0, "--app-id", "mine", "--access-token", "opens-it")
    text = await read_settings(command)
    start = text.index("[connections.default]")
    connection = tomllib.loads(text[start : text.index("Received data")])["connections"]["default"]
    headers = {"Authorization": f"Bearer {connection['access_token']}", "Accept": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(connection["base_url"] + "/me") as answer:
        assert (await answer.json())["app"]["id_code"] == connection["app_id"] == "mine"
    command.interrupt()
    assert (await command.ended())[0] == 0


async def test_sandbox_applies_faults_and_rate_limit_and_prints_calls(launch: Launch) -> None:
    words = ("--rate", 2, "--fault", "GET /me 503 times=1", "--calls", "--json")
    command = await launch("sandbox", "--port", 0, *words)
    settings = json.loads(await command.line())
    headers = {"Authorization": f"Bearer {settings['access_token']}", "Accept": "application/json"}
    statuses = []
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(2):
            async with session.get(settings["base_url"] + "/me") as answer:
                statuses.append(answer.status)
                assert answer.headers["X-RateLimit-Limit"] == "2"
    shown = [json.loads(await command.line()) for _ in range(2)]
    assert statuses == [503, 200] == [call["status"] for call in shown]
    assert [call["fault"] for call in shown] == ["503", ""]


async def test_sandbox_prints_a_call_in_one_line(launch: Launch) -> None:
    command = await launch("sandbox", "--port", 0, "--calls")
    base_url = (await read_settings(command)).split(" at ")[1].split(";")[0]
    async with aiohttp.ClientSession() as session, session.get(base_url + "/me"):
        pass
    assert (await command.line()).rstrip("\n") == "GET /me 406"


async def test_sandbox_rejects_an_invalid_fault() -> None:
    result = await invoke("sandbox", "--fault", "POST /events sometimes")
    assert (result.exit_code, "sometimes" in result.output) == (2, True)


async def test_sandbox_names_the_fix_for_a_port_in_use() -> None:
    async with Sandbox() as sandbox:
        result = await invoke("sandbox", "--port", sandbox.port)
    assert (result.exit_code, "--port" in result.stderr) == (1, True)


@pytest.mark.parametrize("words", [("--port", "70000"), ("--rate", "-1")])
async def test_sandbox_rejects_numbers_out_of_range(words: tuple[str, str]) -> None:
    assert (await invoke("sandbox", *words)).exit_code == 2


@pytest.mark.parametrize(
    ("without", "remaining"), [((), "9"), (("remaining-before",), "8"), (("all",), "8"), (("lead-null",), "9")]
)
async def test_sandbox_replaces_recorded_answers(launch: Launch, without: tuple[str, ...], remaining: str) -> None:
    words = [word for name in without for word in ("--without", name)]
    command = await launch("sandbox", "--port", 0, "--rate", 9, "--json", *words)
    settings = json.loads(await command.line())
    headers = {"Authorization": f"Bearer {settings['access_token']}", "Accept": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(settings["base_url"] + "/me") as answer,
    ):
        assert answer.headers["X-RateLimit-Remaining"] == remaining


async def test_sandbox_help_names_each_action_and_option_of_a_fault() -> None:
    words = set(re.split(r"[,\s]+|=\S+", (await invoke("sandbox", "--help")).output))
    assert {*map(str, Action), *OPTIONS} <= words


@pytest.mark.parametrize("name", list(Recorded))
async def test_sandbox_help_explains_each_recorded_answer(name: Recorded) -> None:
    assert f" {name.value} " in " ".join((await invoke("sandbox", "--help")).output.split())
