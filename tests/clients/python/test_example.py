"""The example runs unchanged."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Daemon

EXAMPLE = Path(__file__).resolve().parents[3] / "clients" / "python" / "examples" / "publish.py"


async def test_example_publishes_and_prints_each_result(daemon: "Daemon") -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLE, daemon.target, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    dispositions = [line.split(maxsplit=1)[1].strip() for line in output.decode().splitlines()]
    assert dispositions == [
        "DISPOSITION_ACCEPTED",
        "DISPOSITION_ACCEPTED",
        "DISPOSITION_REJECTED IDENTITY_REQUIRED",
    ]
    assert len(daemon.requests) == 1
