"""Tests `intercomd spool` on a database, which daemons may use meanwhile."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemons.commands import invoke
from database.filled import change, filled
from database.server import server, spool_url
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool


@pytest.fixture
def url() -> str:
    return spool_url()


@pytest.fixture
async def spool(url: str) -> AsyncIterator[PostgresqlSpool]:
    """A daemon has the spool open."""
    spool = await filled(url)
    yield spool
    await spool.close()


@pytest.mark.usefixtures("spool")
async def test_verify_of_a_database_in_use_prints_its_contents(url: str) -> None:
    result = await invoke("spool", "verify", url)
    assert result.output == f"{url}: 4 envelopes waiting, 1 dead letter, 1 outcome; nothing is damaged\n"
    assert result.exit_code == 0


@pytest.mark.usefixtures("spool")
async def test_verify_takes_the_database_of_the_settings(url: str, tmp_path: Path) -> None:
    settings = tmp_path / "intercomd.toml"
    connection = '[connections.eu]\napp_id = "app"\naccess_token_file = "token"\n'
    settings.write_text(f'[spool]\nurl = "{url}"\n{connection}')
    result = await invoke("spool", "verify", "--config", settings, "--json")
    summary = {"path": url, "damaged": 0, "waiting": 4, "lost": 0, "dead_letters": 1, "outcomes": 1}
    assert json.loads(result.output) == summary


async def test_verify_of_a_damaged_database_exits_with_1(url: str, spool: PostgresqlSpool) -> None:
    await change(url, "UPDATE log SET data = '\\x0102' WHERE lane = 'c:dan'")
    result = await invoke("spool", "verify", url)
    assert result.exit_code == 1
    assert "2 bytes are too few for a record" in result.output
    assert result.output.endswith("1 damage found, and 1 waiting envelope lost\n")
    assert spool.usage().connections["eu"].normal == 2, "nothing changed"


@pytest.mark.usefixtures("spool")
async def test_export_of_a_database_in_use_writes_waiting_envelopes(url: str) -> None:
    result = await invoke("spool", "export", url, "--dead-letters")
    assert (result.exit_code, result.stderr) == (0, f"{url}: 5 envelopes written; nothing is damaged\n")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["connection"], line["envelope_id"]) for line in lines] == [("eu", f"id-{n}") for n in range(5)]


@pytest.mark.usefixtures("spool")
async def test_repair_of_a_database_is_refused(url: str) -> None:
    await change(url, "UPDATE log SET data = data || 'x'")
    result = await invoke("spool", "repair", url)
    assert result.exit_code == 1
    assert "a daemon quarantines each corrupt row" in result.output


@pytest.mark.parametrize("command", ["verify", "export", "repair"])
async def test_database_that_no_daemon_has_used_is_refused(command: str) -> None:
    result = await invoke("spool", command, server().url(server().database()))
    assert (result.exit_code, "no daemon has used it" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("postgresql://x@127.0.0.1:1/spool", 1, "the database cannot be used"),
        ("postgresql://x:secret@127.0.0.1:1/spool", 2, "put it into spool.password_file"),
        ("postgresql:spool", 2, "has no address"),
    ],
)
async def test_url_that_leads_to_no_database_is_refused(url: str, code: int, words: str) -> None:
    result = await invoke("spool", "verify", url)
    assert (result.exit_code, words in " ".join(result.output.split())) == (code, True)
    assert "secret" not in result.output
