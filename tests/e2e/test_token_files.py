"""Files of access tokens, as the daemon and `check` meet them."""

from pathlib import Path

import pytest

from daemons.commands import invoke
from daemons.process import TOKEN, Daemon
from intercomd.v1.operations_pb2 import RetryConnectionRequest
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

WRONG = {
    "bom": (b"\xef\xbb\xbf" + TOKEN.encode(), "byte order mark"),
    "empty": (b"", "is empty"),
    "utf-16": (TOKEN.encode("utf-16"), "UTF-16"),
    "two lines": (TOKEN.encode() + b"\nanother\n", "2 lines"),
    "nul": (TOKEN.encode() + b"\0", "NUL"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_unusable_token_file_is_named_until_it_is_repaired(tmp_path: Path, sandbox: Sandbox, name: str) -> None:
    daemon = Daemon(tmp_path, sandbox.base_url)
    token = tmp_path / "token"
    content, wrong = WRONG[name]
    token.write_bytes(content)
    checked = await invoke("check", "--config", tmp_path / "intercomd.toml")
    assert (checked.exit_code, str(token) in checked.output, wrong in checked.output) == (78, True, True)
    await daemon.start()
    await daemon.until(lambda: any(wrong in line["reason"] for line in daemon.logged("connection")))
    assert str(token) in daemon.logged("connection")[-1]["reason"]
    assert sandbox.calls == []
    await daemon.publish(envelope("u1", "Opened", envelope_id="kept"))
    token.write_text(TOKEN)
    await daemon.ended(["kept"])
    await daemon.close()


@pytest.mark.fills("deliver.schedule.access_probe.TOKEN_SECONDS")
async def test_replaced_token_ends_a_suspension_within_a_second_or_two(daemon: Daemon, sandbox: Sandbox) -> None:
    """By then probes are minutes apart: only the change of the file explains the next one."""
    sandbox.workspace.add_contact("u1")
    await daemon.heard("connection", state="delivering")
    sandbox.workspace.set_access_token("new-token")
    await daemon.publish(envelope("u1", "Opened", envelope_id="kept"))
    for probes in range(3):
        await sandbox.wait_for(lambda sandbox, probes=probes: _refused(sandbox) > 1 + probes)
        await daemon.operations.RetryConnection(RetryConnectionRequest(connection="default"))
    await sandbox.wait_for(lambda sandbox: _refused(sandbox) > 4)
    refused = _refused(sandbox)
    (daemon.folder / "token").write_text("new-token")
    await daemon.ended(["kept"])
    assert _refused(sandbox) == refused


def _refused(sandbox: Sandbox) -> int:
    return sum(call.status == 401 for call in sandbox.calls)
