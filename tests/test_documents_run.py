"""The documents' examples run as they stand, against the daemon of the quickstart and a sandbox as the workspace."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import pytest

from documents import DOCS, README, ROOT, blocks, called, first_cells, section
from intercomd.v1 import (
    attribute_pb2,
    envelope_pb2,
    identity_pb2,
    ingest_pb2,
    ingest_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
)
from intercomd_daemon.sandbox import Sandbox, SandboxSettings

PROGRAMS = Path(sys.executable).parent
ADDRESS = "127.0.0.1:50051"
WAIT_SECONDS = 60
OF_AGENTS = {"intercomd_forward_calls_total"}
"""Metrics that only an agent has."""
OF_FLEETS = {
    "intercomd_connection_delivered",
    "intercomd_database_dead_rows",
    "intercomd_database_oldest_snapshot_seconds",
    "intercomd_database_oldest_snapshot_transactions",
    "intercomd_fleet_daemons",
    "intercomd_fleet_daemons_with_other_settings",
}
"""Metrics that only daemons on one PostgreSQL have: `tests/fleet/test_operating.py` scrapes them."""


@dataclass
class Running:
    """The daemon of the quickstart: its file of settings and its token, beside a sandbox as the workspace."""

    folder: Path
    sandbox: Sandbox

    @property
    def ingest(self) -> str:
        return f"unix:{self.folder}/ingest"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "INTERCOMD_BASE_URL": self.sandbox.base_url,
            "INTERCOMD_INGEST_LISTEN": self.ingest,
            "INTERCOMD_OPERATIONS_LISTEN": f"unix:{self.folder}/pages",
            "INTERCOMD_OPERATIONS_GRPC_LISTEN": f"unix:{self.folder}/operations",
        }

    async def start(self, *words: str | Path) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *words, cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe
        )

    async def run(self, *words: str | Path) -> str:
        """What a program says, which ends well."""
        process = await self.start(*words)
        output, errors = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
        assert process.returncode == 0, output.decode() + errors.decode()
        return output.decode()

    async def run_python(self, program: str) -> str:
        """Runs a program of a document against this daemon; returns what it prints."""
        assert ADDRESS in program
        return await self.run(sys.executable, "-c", program.replace(ADDRESS, self.ingest))


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """Until the test ends; sockets have short names, so it lies in a short path."""
    workspace = SandboxSettings(app_id="abc12345", access_token="a-token")
    with tempfile.TemporaryDirectory(prefix="docs-") as name:
        async with Sandbox(workspace) as sandbox:
            running = Running(Path(name), sandbox)
            (running.folder / "intercomd.toml").write_text(blocks(README, "toml")[0])
            (running.folder / "intercom-token").write_text(workspace.access_token + "\n")
            daemon = await running.start(PROGRAMS / "intercomd", "run", "--config", "intercomd.toml")
            async with asyncio.timeout(WAIT_SECONDS):
                await daemon.stderr.readuntil(b'"event":"serving"')
            yield running
            async with asyncio.timeout(WAIT_SECONDS):
                daemon.send_signal(signal.SIGTERM)
                await daemon.stderr.readuntil(b'"event":"draining"')
                daemon.send_signal(signal.SIGTERM)
                await daemon.communicate()
            assert daemon.returncode == 0


async def test_quickstart_runs_as_written(running: Running) -> None:
    await running.run("intercomd", "check", "--config", "intercomd.toml")
    said = await running.run_python(blocks(README, "python")[0])
    assert "DISPOSITION_ACCEPTED" in said
    publish = next(block for block in blocks(README, "sh") if "intercomd send" in block)
    await running.run("sh", "-ec", publish)
    await running.sandbox.wait_for(lambda sandbox: len(sandbox.events) == 2)
    assert [event.name for event in running.sandbox.events] == ["signed-up", "paid"]
    assert "paid" in await running.run("intercomd", "explain", "42")


async def test_bare_stubs_program_runs_as_written(running: Running) -> None:
    program = blocks(DOCS / "stubs.md", "python")[0]
    assert await running.run_python(program) == "signed-up/42 DISPOSITION_ACCEPTED []\n"
    assert await running.run_python(program) == "signed-up/42 DISPOSITION_DUPLICATE []\n"


def test_stubs_are_generated_as_documented(tmp_path: Path) -> None:
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    _, _, command = blocks(DOCS / "stubs.md", "sh")[0].partition("\n")
    command = command.replace("python ", f"{sys.executable} ")
    subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, check=True)  # noqa: S603 - a line of our own document
    assert (tmp_path / "intercomd/v1/ingest_pb2_grpc.py").exists()


async def test_daemon_answers_by_reflection_and_by_the_files(running: Running) -> None:
    """The requests shown for grpcurl, made by another program that knows both ways."""
    shown = list(called(DOCS / "stubs.md", "grpcurl"))
    assert [words[-1].rpartition("/")[2] for words in shown] == ["Publish", "Preview"]
    for words, ways in zip(shown, (["--reflect"], ["--schema", str(ROOT / "proto")]), strict=True):
        request = words[words.index("-d") + 1]
        said = await running.run(
            *("buf", "curl", *ways, "--protocol", "grpc", "--http2-prior-knowledge", "--data", request),
            *("--unix-socket", running.ingest.removeprefix("unix:"), f"http://localhost/{words[-1]}"),
        )
        assert "DISPOSITION_ACCEPTED" in json.dumps(json.loads(said))


async def test_operations_page_lists_the_metrics_of_a_daemon(running: Running) -> None:
    """One envelope that is adjusted, creates an attribute and ends touches every metric."""
    value = attribute_pb2.AttributeValue(string_value="pro")
    attributes = [attribute_pb2.Attribute(name="the.plan", value=value)]
    envelope = envelope_pb2.Envelope(identity=identity_pb2.Identity(customer_id="42"), user_attributes=attributes)
    async with grpc.aio.insecure_channel(running.ingest) as channel:
        await ingest_pb2_grpc.IngestServiceStub(channel).Publish(ingest_pb2.PublishRequest(envelopes=[envelope]))
    async with grpc.aio.insecure_channel(f"unix:{running.folder}/operations") as channel:
        watch = operations_pb2.WatchOutcomesRequest(after_sequence=0)
        assert await operations_pb2_grpc.OperationsServiceStub(channel).WatchOutcomes(watch).read()
    session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(f"{running.folder}/pages"))
    async with session, session.get("http://localhost/metrics") as answer:
        names = re.findall(r"(?m)^(intercomd_\w+)", await answer.text())
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}
    listed = section(DOCS / "operations.md", "## Metrics").partition("### Alerts")[0]
    assert set(first_cells(listed)) == shown | OF_AGENTS | OF_FLEETS
