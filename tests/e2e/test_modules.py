"""What a daemon loads: all that its work needs at the start, and nothing that only others need."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daemons.process import Daemon
from intercomd.v1.ingest_pb2 import PreviewRequest, PublishStreamRequest
from intercomd_daemon.deferred_imports import UNUSED
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

REPORTING = (
    sys.executable,
    "-c",
    """
import atexit, gc, json, sys
from intercomd_daemon.__main__ import main

@atexit.register
def report():
    names = [name for name, module in sys.modules.items() if getattr(module, "__spec__", None)]
    collected = {id(each) for each in gc.get_objects()}
    late = [name for name in names if name.startswith("intercomd_daemon.") and id(sys.modules[name]) in collected]
    sys.stderr.write(json.dumps({"event": "modules", "names": names, "late": late}) + "\\n")

main()
""",
)
"""The command, which logs at its end what it has loaded."""
UNUSED_PACKAGES = {
    "grpc_reflection.v1alpha",
    "aiohttp.web_app",
    "argparse",
    "click",
    "google.protobuf.descriptor_pb2",
    "rich",
}
LOADED_BY_WORK = frozenset[str]()
"""What is loaded when it is used first."""


async def loaded(folder: Path, sandbox: Sandbox, work: Callable[[Daemon], Awaitable[None]]) -> set[str]:
    """Returns the modules of a daemon that has started, done its work, and stopped."""
    daemon = await Daemon(folder, sandbox.base_url, {"stopping": {"linger": "0s"}}, REPORTING).start()
    await daemon.heard("connection", state="delivering")
    await work(daemon)
    assert await daemon.stop() == 0
    (report,) = daemon.logged("modules")
    assert report["late"] == [], "the collector would scan these modules again and again"
    await daemon.close()
    return set(report["names"])


async def nothing(_daemon: Daemon) -> None:
    """The work of a daemon at rest."""


async def everything(daemon: Daemon) -> None:
    """Accepts, refuses and delivers envelopes, and serves probes and a scrape."""
    envelopes = [
        envelope("u1", "One", envelope_id="one", metadata={"plan": "pro"}),
        envelope("u2", "Two", envelope_id="two", update={"name": "N", "plan": "pro", "age": 3}),
    ]
    await daemon.publish(*envelopes, envelope("", "Three", envelope_id="three"))
    await daemon.publish(*envelopes, request_id="again")
    async for _ in daemon.ingest.PublishStream(iter([PublishStreamRequest(envelopes=envelopes, sequence=1)])):
        pass
    await daemon.ingest.Preview(PreviewRequest(envelopes=envelopes))
    await daemon.ended(["one", "two"])
    health = health_pb2_grpc.HealthStub(daemon.channel)
    await health.Check(health_pb2.HealthCheckRequest())
    async with aiohttp.ClientSession() as session:
        for page in ("/", "/healthz", "/readyz", "/metrics", "/nowhere"):
            async with session.get(f"http://{daemon.http_address}{page}") as response:
                await response.read()


async def test_daemon_has_loaded_what_its_work_needs_when_it_serves(tmp_path: Path, sandbox: Sandbox) -> None:
    """A module that is loaded later delays a call, and hides from the memory at rest."""
    sandbox.workspace.add_contact("u1")
    rest, work = tmp_path / "rest", tmp_path / "work"
    rest.mkdir()
    work.mkdir()
    at_rest = await loaded(rest, sandbox, nothing)
    at_work = await loaded(work, sandbox, everything)
    assert at_work - at_rest == LOADED_BY_WORK
    assert at_work & {*UNUSED, *UNUSED_PACKAGES} == set()
