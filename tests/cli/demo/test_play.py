"""`intercomd demo`, as somebody types it first."""

import asyncio
import os
import sys
from pathlib import Path

from daemons import COMMAND, WAIT_SECONDS

LAWS = 8


async def test_it_plays_to_its_end_and_everything_adds_up(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "INTERCOMD_LOG_LEVEL": "not for the demo"}
    demo = await asyncio.create_subprocess_exec(COMMAND, "demo", stdout=asyncio.subprocess.PIPE, env=environment)
    async with asyncio.timeout(4 * WAIT_SECONDS):
        output = (await demo.communicate())[0].decode()
    sys.stdout.write(output)
    assert demo.returncode == 0
    lines = [line.strip() for line in output.splitlines()]
    assert sum(line.startswith("holds ") for line in lines) == LAWS
    (told,) = [line for line in lines if " sent = " in line]
    sent, _, parts = told.partition(" sent = ")
    assert int(sent) == sum(int(part.split()[0]) for part in parts.split(" + "))
    assert os.listdir(tmp_path) == [], "nothing is left behind"  # noqa: PTH208 - no path is needed
