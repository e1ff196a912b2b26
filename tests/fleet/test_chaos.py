"""Three daemons on one spool while processes and the database are killed and stopped; senders publish to any of them.

Every accepted envelope has one outcome, and its event is at Intercom in the order of its user, with few repeats.
"""

import asyncio
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import grpc
import pytest

from daemons.process import WAIT_SECONDS, Daemon
from database.server import Server
from intercomd.v1.attribute_pb2 import Attribute, AttributeValue
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CustomEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import Disposition, PublishRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE

USERS = 6
NAMES = 100
"""Distinct names of events: Intercom takes 120."""
CALL_SECONDS = 5.0


async def pause() -> None:
    """Lets a moment pass between two looks at something that changes elsewhere."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.05)


class Fleet:
    """Three daemons, their database and Intercom."""

    def __init__(self, folder: Path, server: Server, sandbox: Sandbox) -> None:
        self.server = server
        self.sandbox = sandbox
        self.url = server.url(server.database())
        self.daemons: dict[str, Daemon] = {}
        for name in ("a", "b", "c"):
            (folder / name).mkdir()
            tables = {"spool": {"url": self.url}, "fleet": {"daemon_id": name, "lease": "5s"}}
            self.daemons[name] = Daemon(folder / name, sandbox.base_url, tables)
        self.accepted: list[str] = []
        self.codes: set[grpc.StatusCode] = set()
        self.quiet = asyncio.Event()

    async def value(self, statement: str) -> object:
        """Returns a value of the database once that answers."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    connection = await asyncpg.connect(self.url, timeout=5)
                    try:
                        return await connection.fetchval(statement)
                    finally:
                        await connection.close()
                except (OSError, asyncpg.PostgresError):
                    await pause()

    async def owner(self, *, not_in: tuple[str, ...] = ()) -> str:
        """Waits until a daemon holds the workspace, other than some holdings before; returns its incarnation."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                found = str(await self.value("SELECT incarnation FROM intercomd.leases") or "")
                if found and found not in not_in:
                    return found
                await pause()

    async def daemon_of(self, incarnation: str) -> Daemon:
        name = await self.value(f"SELECT daemon_id FROM intercomd.daemons WHERE incarnation = '{incarnation}'")  # noqa: S608
        return self.daemons[str(name)]

    async def publish(self, user: int) -> None:
        """Publishes the events of a user one after another, each until it is accepted, to one daemon after another."""
        number = 0
        places = [*self.daemons.values()]
        while not self.quiet.is_set():
            name = f"u{user}-{number:05}"
            number_of = Attribute(name="number", value=AttributeValue(string_value=name))
            envelope = Envelope(
                envelope_id=name,
                identity=Identity(customer_id=f"u{user}"),
                # Several names, as a second of a user has room for one event of each.
                custom_event=CustomEvent(name=f"came {number % NAMES}", attributes=[number_of]),
            )
            daemon = places[(user + number) % 3]
            if not daemon.logged("serving"):  # It is starting.
                places = places[1:] + places[:1]
                await pause()
                continue
            try:
                response = await self.send(daemon, envelope)
            except grpc.aio.AioRpcError as error:
                self.codes.add(error.code())
                places = places[1:] + places[:1]
                await pause()
                continue
            assert response in {Disposition.DISPOSITION_ACCEPTED, Disposition.DISPOSITION_DUPLICATE}
            self.accepted.append(name)
            number += 1
            await pause()

    async def send(self, daemon: Daemon, envelope: Envelope) -> int:
        async with grpc.aio.insecure_channel(daemon.ingest_address) as channel:
            stub = IngestServiceStub(channel)
            response = await stub.Publish(PublishRequest(envelopes=[envelope]), timeout=CALL_SECONDS)
        return int(response.results[0].disposition)

    async def progress(self, count: int = 30) -> None:
        """Waits until some more events have arrived at Intercom."""
        wanted = len(self.sandbox.events) + count
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.sandbox.events) < wanted:
                await pause()

    async def drained(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            waiting = "SELECT (SELECT count(*) FROM intercomd.log) + (SELECT count(*) FROM intercomd.parked)"
            while await self.value(waiting):
                await pause()


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    server = Server()
    server.start()
    try:
        async with Sandbox(SandboxSettings(recorded=NONE)) as sandbox:
            made = Fleet(tmp_path, server, sandbox)
            for daemon in made.daemons.values():
                await daemon.start()
            yield made
            for daemon in made.daemons.values():
                await daemon.close()
            assert sandbox.illegal_requests == []
    finally:
        server.close()


async def kill_owner(fleet: Fleet) -> None:
    before = await fleet.owner()
    daemon = await fleet.daemon_of(before)
    await daemon.kill()
    await fleet.owner(not_in=(before, ""))
    await fleet.progress()
    await daemon.start()


async def stop_owner(fleet: Fleet) -> None:
    before = await fleet.owner()
    daemon = await fleet.daemon_of(before)
    assert await daemon.stop() == 0
    await fleet.owner(not_in=(before,))
    await daemon.start()


async def freeze_owner(fleet: Fleet) -> None:
    before = await fleet.owner()
    daemon = await fleet.daemon_of(before)
    daemon.signal(signal.SIGSTOP)
    await fleet.owner(not_in=(before,))
    await fleet.progress()
    daemon.signal(signal.SIGCONT)


async def kill_database(fleet: Fleet) -> None:
    fleet.server.end(signal.SIGQUIT)
    await pause()
    fleet.server.start()


async def end_sessions(fleet: Fleet) -> None:
    await fleet.value(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


BLOWS: tuple[Callable[[Fleet], object], ...] = (kill_owner, kill_database, freeze_owner, end_sessions, stop_owner)


async def test_every_accepted_envelope_is_delivered_once_and_in_order_through_all_failures(fleet: Fleet) -> None:
    senders = [asyncio.create_task(fleet.publish(user)) for user in range(USERS)]
    await fleet.progress()
    for blow in BLOWS:
        await blow(fleet)
        await fleet.progress()
    fleet.quiet.set()
    await asyncio.gather(*senders)
    await fleet.drained()

    assert fleet.codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    outcomes = Counter(await fleet.value("SELECT array_agg(convert_from(envelope_id, 'utf8')) FROM intercomd.journal"))
    assert outcomes == Counter(set(fleet.accepted))
    arrived: dict[str, list[str]] = defaultdict(list)
    for event in fleet.sandbox.events:
        arrived[str(event.external_id)].append(str(event.metadata["number"]))
    assert sorted(name for names in arrived.values() for name in names) == sorted(set(fleet.accepted))
    for names in arrived.values():
        assert names == sorted(names), "in the order of their acceptance"
    repeats = len(fleet.sandbox.calls) and sum(
        count - 1 for count in Counter(call.body for call in fleet.sandbox.calls if call.path == "/events").values()
    )
    assert repeats <= USERS * len(BLOWS), "at most one for each lane and take-over"
