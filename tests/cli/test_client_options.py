"""Commands that call a daemon with TLS, client certificates and tokens."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from daemons.commands import invoke
from daemons.process import Daemon
from intercomd_daemon.cli.client_options import ClientOptions
from intercomd_daemon.rpc.callers import hash_of
from intercomd_daemon.sandbox import Sandbox
from ports import free_port
from tls.certificates import Files

TOKEN = "icd_" + "t" * 43
ENVELOPE = '{"identity": {"customer_id": "42"}, "custom_event": {"name": "signed-up"}}\n'


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[tuple[Daemon, list[str]]]:
    """A daemon with everything on, and the options that reach it."""
    files, authority = Files(tmp_path), trustme.CA()
    files.write_client_ca(authority)
    client = files.client(authority, "operator.internal")
    for name, content in (("ca.pem", client.ca), ("client.pem", client.certificate), ("client-key.pem", client.key)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "caller-token").write_text(f"{TOKEN}\n")
    tables = {
        "ingest": {"tls": files.table},
        "operations": {"tls": files.table},
        "callers": {"operator": {"token_sha256": [hash_of(TOKEN)], "operations": "write", "connections": ["*"]}},
    }
    async with Sandbox() as sandbox:
        daemon = Daemon(tmp_path, sandbox.base_url, tables)
        await daemon.launch()
        await daemon.heard("serving")
        words = ["--ca-file", "ca.pem", "--certificate-file", "client.pem", "--key-file", "client-key.pem"]
        options = [str(tmp_path / word) if "." in word else word for word in words]
        yield daemon, [*options, "--token-file", str(tmp_path / "caller-token")]
        await daemon.stop()


async def test_every_command_reaches_a_daemon_with_everything_on(
    secured: tuple[Daemon, list[str]], tmp_path: Path
) -> None:
    daemon, options = secured
    lines = tmp_path / "envelopes.jsonl"
    lines.write_text(ENVELOPE)
    target = ("--target", daemon.ingest_address, "--operations", daemon.operations_address)
    sent = await invoke("send", str(lines), "--wait", *target, *options)
    assert sent.exit_code == 0, sent.output
    for words in (("status",), ("explain", "42"), ("dead-letters", "list"), ("pause", "default"), ("reload",)):
        result = await invoke(*words, "--operations", daemon.operations_address, *options)
        assert result.exit_code == 0, result.output
    preview = await invoke("send", str(lines), "--preview", "--target", daemon.ingest_address, *options)
    assert preview.exit_code == 0
    health = await invoke("healthcheck", "--target", daemon.http_address, *options[:6])
    assert health.exit_code == 0, health.output


async def test_options_may_be_variables(secured: tuple[Daemon, list[str]]) -> None:
    daemon, options = secured
    names = ["CA_FILE", "CERTIFICATE_FILE", "KEY_FILE", "TOKEN_FILE"]
    variables = {f"INTERCOMD_CLIENT_{name}": value for name, value in zip(names, options[1::2], strict=True)}
    status = ("status", "--operations", daemon.operations_address)
    assert (await invoke(*status, env=variables)).exit_code == 0
    wrong = await invoke(*status, "--server-name", "other.example", env=variables)
    assert (wrong.exit_code, "its certificate is for another name" in wrong.stderr) == (1, True)
    right = await invoke(*status, "--server-name", "localhost", env=variables)
    assert right.exit_code == 0


async def test_missing_credential_is_named_with_the_fix(secured: tuple[Daemon, list[str]]) -> None:
    daemon, options = secured
    status = ("status", "--operations", daemon.operations_address)
    without_token = await invoke(*status, *options[:6])
    assert (without_token.exit_code, "--token-file" in without_token.stderr) == (1, True)
    plain = await invoke(*status)
    assert (plain.exit_code, "closed the connection: add --tls" in plain.stderr) == (1, True)
    untrusted = await invoke(*status, "--tls")
    assert (untrusted.exit_code, "give this authority with --ca-file" in untrusted.stderr) == (1, True)
    half = await invoke(*status, *options[:4])
    assert (half.exit_code, "belong together" in half.stderr) == (2, True)


async def test_send_waits_at_a_gateway_with_tls_for_senders_alone(tmp_path: Path) -> None:
    """The operations address of the settings is called as these say: in plain text."""
    files, lines, settings = Files(tmp_path), tmp_path / "envelopes.jsonl", tmp_path / "settings.toml"
    (tmp_path / "ca.pem").write_bytes(files.client().ca)
    lines.write_text(ENVELOPE)
    operations = {"grpc_listen": f"127.0.0.1:{free_port()}"}
    settings.write_text(f'[operations]\ngrpc_listen = "{operations["grpc_listen"]}"\n')
    async with Sandbox() as sandbox:
        daemon = Daemon(tmp_path, sandbox.base_url, {"ingest": {"tls": files.table}, "operations": operations})
        await daemon.launch()
        await daemon.heard("serving")
        authority = ("--ca-file", str(tmp_path / "ca.pem"))
        send = ("send", str(lines), "--wait", "--target", daemon.ingest_address, *authority)
        by_settings = await invoke(*send, "--config", str(settings))
        given = await invoke(*send, "--operations", daemon.operations_address)
        await daemon.stop()
    assert by_settings.exit_code == 0, by_settings.output
    assert (given.exit_code, "it does not use TLS; leave out --tls" in given.stderr) == (1, True)


async def test_unusable_token_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    result = await invoke("status", "--operations", "127.0.0.1:1", "--token-file", tmp_path / "empty")
    assert (result.exit_code, f"{tmp_path / 'empty'} is empty" in result.stderr) == (1, True)


def test_any_option_of_tls_implies_it() -> None:
    assert not ClientOptions(token_file="t").uses_tls
    assert all(
        access.uses_tls
        for access in (ClientOptions(tls=True), ClientOptions(ca_file="c"), ClientOptions(server_name="n"))
    )
