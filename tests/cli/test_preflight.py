"""Tests the checks of what the settings refer to."""

import os
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from intercomd_daemon.cli.preflight import (
    CheckResult,
    Severity,
    check_connections,
    check_listeners,
    check_spool,
    check_tls,
    check_tokens,
    check_traces,
)
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.settings import HealthSettings, OperationsSettings
from intercomd_daemon.rpc.settings import CallerSettings
from intercomd_daemon.sandbox import CustomAttribute, Sandbox, SandboxSettings
from intercomd_daemon.setting.secret import Secret
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from intercomd_daemon.telemetry.trace_settings import TraceSettings
from tls.certificates import Files

FREE = {"free_bytes_min": 0, "bytes_max": 1 << 20}


def spool(path: Path, **fields: Any) -> SpoolSettings:  # noqa: ANN401 - of the settings
    return SpoolSettings(url=f"sqlite:{path}", **(FREE | fields))


def levels(found: list[CheckResult]) -> list[Severity]:
    return [finding.level for finding in found]


def connection(sandbox: Sandbox, **fields: Any) -> ConnectionSettings:  # noqa: ANN401 - the same
    given = {"name": "default", "app_id": "sandbox", "access_token": Secret("sandbox-token")}
    return ConnectionSettings(**(given | {"base_url": sandbox.base_url} | fields))


async def check(*connections: ConnectionSettings) -> list[CheckResult]:
    return await check_connections(Settings(connections={each.name: each for each in connections}))


def test_check_spool_accepts_a_missing_file_and_does_not_create_it(tmp_path: Path) -> None:
    assert levels(check_spool(spool(tmp_path / "spool.db"))) == [Severity.OK, Severity.OK]
    assert list(tmp_path.iterdir()) == []


def test_check_spool_notes_a_spool_in_memory() -> None:
    assert levels(check_spool(SpoolSettings(url="memory:"))) == [Severity.NOTE]


def test_check_spool_rejects_a_missing_folder(tmp_path: Path) -> None:
    (found,) = check_spool(spool(tmp_path / "nowhere" / "spool.db"))
    assert found.level is Severity.WRONG
    assert f"{tmp_path / 'nowhere'}: No such file or directory; create a folder" in found.message


def test_check_listeners_notes_each_address_with_a_listening_process(tmp_path: Path) -> None:
    path = tmp_path / "taken.sock"
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        taken = f"127.0.0.1:{tcp.getsockname()[1]}"
        settings = Settings(
            ingest=IngestSettings(listen=(taken, f"unix:{path}", f"unix:{stale}", "[::1]:0")),
            operations=OperationsSettings(listen="127.0.0.1:0", grpc_listen=f"unix:{tmp_path / 'new.sock'}"),
        )
        found = check_listeners(settings)
    fix = "stop the process that listens there, perhaps a running daemon, or choose another address"
    assert [(finding.level, finding.message) for finding in found] == [
        (
            Severity.NOTE,
            f"ingest.listen: cannot listen on {address}: Address already in use; {fix}",
        )
        for address in (taken, f"unix:{path}")
    ]


def test_check_listeners_rejects_addresses_on_which_the_daemon_cannot_listen(tmp_path: Path) -> None:
    """At every listener; a Unix socket with the group of its section."""
    operations = OperationsSettings(
        listen=f"unix:{tmp_path}/http", grpc_listen="192.0.2.1:9091", unix_group="no-such-group"
    )
    settings = Settings(
        ingest=IngestSettings(listen=(f"unix:{tmp_path}/nowhere/ingest", "127.0.0.1:0")),
        operations=operations,
        health=HealthSettings(listen=("no-such-host.invalid:80",)),
    )
    found = check_listeners(settings)
    assert levels(found) == [Severity.WRONG] * 4
    keys = [finding.message.partition(": ")[0] for finding in found]
    assert keys == ["ingest.listen", "operations.listen", "operations.grpc_listen", "health.listen"]
    assert "No such file or directory" in found[0].message
    assert "unknown group 'no-such-group'" in found[1].message
    assert "Cannot assign requested address; write an address of this host" in found[2].message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1000000"),
    ],
)
async def test_check_traces_rejects_a_variable_that_opentelemetry_cannot_use(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Only noted where a variable names the endpoint, too: then the daemon runs without traces."""
    monkeypatch.setenv(variable, value)
    (found,) = await check_traces(Settings(traces=TraceSettings(endpoint="http://127.0.0.1:1")), os.environ)
    assert (found.level, "correct or unset those named OTEL_" in found.message) == (Severity.WRONG, True)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    (noted,) = await check_traces(Settings(), os.environ)
    assert (noted.level, "runs without traces" in noted.message) == (Severity.NOTE, True)


async def test_check_traces_reports_where_spans_go() -> None:
    (found,) = await check_traces(Settings(traces=TraceSettings(endpoint="http://127.0.0.1:1")), {})
    assert found == CheckResult(Severity.OK, "traces", "spans go to http://127.0.0.1:1")
    assert await check_traces(Settings(), {}) == []


@pytest.mark.parametrize("endpoint", ["http://user:secret@127.0.0.1:1", "https://secret@127.0.0.1:1"])
async def test_check_traces_shows_no_credentials_of_a_variable(endpoint: str) -> None:
    (found,) = await check_traces(Settings(), {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    assert found == CheckResult(Severity.OK, "traces", "spans go to 127.0.0.1:1")


def test_check_spool_rejects_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("none of ours")
    (found,) = check_spool(spool(path))
    assert (found.level, "another program's" in found.message) == (Severity.WRONG, True)


def test_check_spool_rejects_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA application_id = 7")
    database.execute("CREATE TABLE things (name)")
    database.close()
    assert levels(check_spool(spool(path))) == [Severity.WRONG]


async def test_check_spool_notes_the_process_that_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    held = await open_spool(SqliteSettings(path=str(path), free_bytes_min=0))
    (*_, holder, _) = check_spool(spool(path))
    await held.close()
    assert (holder.level, f"process {os.getpid()}" in holder.message) == (Severity.NOTE, True)
    assert levels(check_spool(spool(path))) == [Severity.OK, Severity.OK]


def test_check_spool_rejects_a_full_disk_and_notes_a_small_one(tmp_path: Path) -> None:
    path, total = tmp_path / "spool.db", shutil.disk_usage(tmp_path).total
    assert levels(check_spool(spool(path, free_bytes_min=2 * total))) == [Severity.OK, Severity.WRONG]
    # Half of the reserve (2 MiB and the write-ahead log) is free besides free_bytes_min.
    free = shutil.disk_usage(tmp_path).free
    _, short = check_spool(spool(path, free_bytes_min=free - (1 << 20)))
    assert short.level is Severity.WRONG
    assert "and what it reserves for settling" in short.message
    assert levels(check_spool(spool(path, bytes_max=2 * total))) == [Severity.OK, Severity.NOTE]


def test_check_tls_rejects_unusable_files_and_notes_a_key_that_everyone_can_read(tmp_path: Path) -> None:
    files = Files(tmp_path)
    tls = files.settings
    settings = Settings(ingest=IngestSettings(tls=tls), operations=OperationsSettings(tls=tls))
    files.key.chmod(0o600)
    assert levels(check_tls(settings)) == [Severity.OK, Severity.OK]
    files.key.chmod(0o644)
    assert levels(check_tls(settings)) == [Severity.OK, Severity.NOTE, Severity.OK, Severity.NOTE]
    files.key.unlink()
    found = check_tls(settings)
    assert [(finding.level, finding.subject) for finding in found] == [
        (Severity.WRONG, "ingest.tls"),
        (Severity.WRONG, "operations.tls"),
    ]
    assert "key.pem: No such file or directory" in found[0].message
    assert check_tls(Settings()) == []


def test_check_tokens_rejects_a_file_without_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    settings = Settings(callers={"shop": CallerSettings(name="shop", token_file=str(path))})
    (missing,) = check_tokens(settings)
    assert (missing.level, missing.subject) == (Severity.WRONG, "callers")
    path.write_text("short")
    assert levels(check_tokens(settings)) == [Severity.WRONG]
    path.write_text("t" * 32)
    path.chmod(0o600)
    assert levels(check_tokens(settings)) == [Severity.OK]
    path.chmod(0o644)
    assert levels(check_tokens(settings)) == [Severity.OK, Severity.NOTE]
    assert check_tokens(Settings()) == []


async def test_check_connections_reports_workspace_and_attributes() -> None:
    attributes = tuple(CustomAttribute(f"attribute {number}") for number in range(3))
    async with Sandbox(SandboxSettings(workspace_name="Shop", attributes=attributes)) as sandbox:
        found = await check(connection(sandbox))
    assert levels(found) == [Severity.OK, Severity.OK]
    assert ('"Shop", in us' in found[0].message, found[1].message) == (True, "custom attributes 3/250")


async def test_check_connections_notes_many_custom_attributes() -> None:
    attributes = tuple(CustomAttribute(f"attribute {number}") for number in range(240))
    async with Sandbox(SandboxSettings(attributes=attributes)) as sandbox:
        found = await check(connection(sandbox))
    assert levels(found) == [Severity.OK, Severity.NOTE]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"app_id": "other"}, "APP_ID_MISMATCH"),
        ({"access_token": Secret("revoked")}, "UNAUTHORIZED"),
        ({"access_token": Secret(""), "access_token_file": "/nowhere/token"}, "/nowhere/token: No such file"),
    ],
)
async def test_check_connections_rejects_what_prevents_delivery(fields: dict[str, Any], message: str) -> None:
    async with Sandbox() as sandbox:
        (found,) = await check(connection(sandbox, **fields))
    assert (found.level, found.message.startswith(message)) == (Severity.WRONG, True)


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff"])
async def test_check_connections_rejects_a_file_without_a_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    async with Sandbox() as sandbox:
        (found,) = await check(connection(sandbox, access_token=Secret(""), access_token_file=str(path)))
    assert (found.level, str(path) in found.message) == (Severity.WRONG, True)


async def test_check_connections_is_unknown_without_a_response() -> None:
    async with Sandbox() as sandbox:
        there = connection(sandbox)
    (found,) = await check(there)
    assert found.level is Severity.UNKNOWN


async def test_check_connections_notes_a_token_that_may_not_list_attributes() -> None:
    async with Sandbox() as sandbox:
        sandbox.fault("GET /data_attributes 403")
        assert levels(await check(connection(sandbox))) == [Severity.OK, Severity.NOTE]


async def test_check_connections_leaves_attributes_unknown_after_a_503() -> None:
    async with Sandbox() as sandbox:
        sandbox.fault("GET /data_attributes 503")
        assert levels(await check(connection(sandbox))) == [Severity.OK, Severity.UNKNOWN]


async def test_check_connections_notes_a_response_without_an_app() -> None:
    async with Sandbox(SandboxSettings(app_visible=False)) as sandbox:
        assert levels(await check(connection(sandbox))) == [Severity.NOTE, Severity.OK]


async def test_check_connections_does_not_call_intercom_for_an_inactive_connection() -> None:
    async with Sandbox() as sandbox:
        assert levels(await check(connection(sandbox, active=False))) == [Severity.NOTE]
        assert sandbox.calls == []


async def test_check_connections_notes_those_that_share_a_budget() -> None:
    """The same App ID at the same URL; not the same App ID elsewhere, nor a connection that is not active."""
    async with Sandbox() as sandbox:
        elsewhere = sandbox.base_url.replace("127.0.0.1", "localhost")
        found = await check(
            connection(sandbox),
            connection(sandbox, name="second"),
            connection(sandbox, name="third"),
            connection(sandbox, name="elsewhere", base_url=elsewhere),
            connection(sandbox, name="off", active=False),
        )
    shared = [finding for finding in found if "budget" in finding.message]
    assert [finding.subject for finding in shared] == ["connection second", "connection third"]
    assert levels(shared) == [Severity.NOTE, Severity.NOTE]
    assert "App ID sandbox with connection default" in shared[0].message


def test_finding_as_json_has_level_subject_and_message() -> None:
    finding = CheckResult(Severity.WRONG, "spool", "no such folder")
    assert finding.as_json() == {"level": "wrong", "subject": "spool", "message": "no such folder"}


@pytest.mark.parametrize(("mode", "noted"), [(0o600, False), (0o640, False), (0o644, True), (0o666, True)])
async def test_check_connections_notes_a_token_file_that_everyone_can_read(
    tmp_path: Path, mode: int, noted: bool
) -> None:
    path = tmp_path / "token"
    path.write_text("sandbox-token\n")
    path.chmod(mode)
    async with Sandbox() as sandbox:
        found = await check(connection(sandbox, access_token=Secret(""), access_token_file=str(path)))
    assert [finding.level for finding in found if "readable by every user" in finding.message] == [
        Severity.NOTE
    ] * noted
