"""Files of access tokens, as the daemon and `check` meet them."""

from pathlib import Path

import pytest

from daemons.commands import invoke
from daemons.process import TOKEN, Daemon
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
    await daemon.until(lambda: any(wrong in line["reason"] for line in daemon.told("connection")))
    assert str(token) in daemon.told("connection")[-1]["reason"]
    assert sandbox.calls == []
    await daemon.publish(envelope("u1", "Opened", envelope_id="kept"))
    token.write_text(TOKEN)
    await daemon.ended(["kept"])
    await daemon.close()
