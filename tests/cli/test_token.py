"""Tests `intercomd token`."""

import json
import re

from daemons.commands import invoke
from intercomd_daemon.rpc.callers import hash_of


async def test_token_prints_a_new_token_and_its_hash() -> None:
    tokens = set()
    for _ in range(3):
        result = await invoke("token")
        assert result.exit_code == 0
        token, token_hash = (line.split()[1] for line in result.stdout.splitlines() if line)
        # 32 random bytes in base64url.
        assert re.fullmatch(r"icd_[A-Za-z0-9_-]{43}", token)
        assert token_hash == hash_of(token)
        tokens.add(token)
    assert len(tokens) == 3


async def test_token_prints_json() -> None:
    made = json.loads((await invoke("token", "--json")).stdout)
    assert made["token_sha256"] == hash_of(made["token"])
