"""A Prometheus that scrapes a daemon each second: the program of Debian's package `prometheus`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from deployment.files import RULES
from ports import free_port

_CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - {{job_name: intercomd, static_configs: [{{targets: ["{target}"]}}]}}
"""


@asynccontextmanager
async def running_prometheus(folder: Path, target: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Yields a client of a Prometheus that scrapes an address, with the alert rules; its files are in `folder`."""
    address = f"127.0.0.1:{free_port()}"
    config = folder / "prometheus.yaml"
    config.write_text(_CONFIG.format(rules=RULES, target=target))
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={address}",
            stdout=log,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            yield session
    finally:
        process.terminate()
        await process.wait()
