"""Kills an agent and its gateway again and again, and loses answers between them, while senders publish.

The plan is the oracle, as for one daemon: what Intercom must hold follows only from the results that the senders got.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path

from daemons.process import Daemon, connection_for
from intercomd.v1.outcome_pb2 import Outcome, OutcomeType
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from kill_harness.kills import pause
from kill_harness.laws import Laws, check_arrivals, check_contacts, check_outcomes, check_repeats
from kill_harness.plan import SECOND, SKIPPED, User, disposition
from kill_harness.producers import Notes, Producers
from tcp_proxy import TcpProxy

ADDRESS = "unix:ingest"
USERS = 12
WAITING_MAX = 200
WAIT_SECONDS = 120.0
_ENDED = {OutcomeType.OUTCOME_TYPE_FORWARDED, OutcomeType.OUTCOME_TYPE_SKIPPED}


class ChainRun:
    """Senders, an agent, a proxy that cuts, a gateway, and Intercom."""

    def __init__(self, agent: Daemon, gateway: Daemon, proxy: TcpProxy, sandbox: Sandbox, seed: int) -> None:
        self._agent = agent
        self._gateway = gateway
        self._proxy = proxy
        self._sandbox = sandbox
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - when to kill is nothing to guess
        self._forwarded: Counter[str] = Counter()
        self.blows: Counter[str] = Counter()
        self.laws: Laws = Counter()
        self.duplicates = 0

    async def run(self, blows: int) -> None:
        """Strikes so often, then lets everything come to its end, and checks each hop."""
        users = [User(1, place) for place in range(USERS)]
        for user in users:
            if user.beforehand:
                self._sandbox.workspace.add_contact(**user.beforehand)
        await asyncio.gather(self._gateway.start(), self._agent.start())
        producers = Producers(self._agent.folder, ADDRESS, users, WAITING_MAX, self._seed, agent=True)
        ways = cycle(
            (self.agent, self.gateway, self.answers, self.unanswered_agent, self.unanswered_gateway, self.both)
        )
        try:
            await producers.start()
            for _ in range(blows):
                await self._work()
                await self._strike(next(ways))
                producers.check()
            await producers.stop()
        finally:
            producers.kill()
        await self._check(producers.notes())

    async def _work(self) -> None:
        """Lets some events arrive, and a moment pass."""
        wanted = len(self._sandbox.events) + self._random.randint(5, 25)
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self._sandbox.events) < wanted:
                await pause(0.02)
        await pause(self._random.uniform(0.0, 0.2))

    async def _strike(self, way: Callable[[], Awaitable[None]]) -> None:
        self.blows[way.__name__] += 1
        await way()

    async def agent(self) -> None:
        """The agent is killed at any moment."""
        await self._agent.kill()
        await self._agent.start()

    async def gateway(self) -> None:
        """The gateway is killed at any moment, and away for a while."""
        await self._gateway.kill()
        await pause(self._random.uniform(0.0, 1.0))
        await self._gateway.start()

    async def both(self) -> None:
        """Both are killed at once, and start in either order."""
        await asyncio.gather(self._agent.kill(), self._gateway.kill())
        await asyncio.gather(self._agent.start(), self._gateway.start())

    async def answers(self) -> None:
        """An answer is lost: the gateway has committed, and the agent does not know."""
        await self._lose_an_answer()
        self._proxy.cut()

    async def unanswered_agent(self) -> None:
        """The agent is killed while the answer of a committed request is lost."""
        await self._lose_an_answer()
        await self._agent.kill()
        self._proxy.cut()
        await self._agent.start()

    async def unanswered_gateway(self) -> None:
        """The gateway is killed after it has committed a request whose answer is lost."""
        await self._lose_an_answer()
        await self._gateway.kill()
        self._proxy.cut()
        await self._gateway.start()

    async def _lose_an_answer(self) -> None:
        self._proxy.losing = True
        try:
            await self._proxy.until_lost()
            await pause(0.05)
        finally:
            self._proxy.losing = False

    async def _check(self, notes: Notes) -> None:
        agents, gateways = await self._drained(self._agent), await self._drained(self._gateway)
        first = Counter(outcome.envelope_id for outcome in agents)
        assert first.keys() == notes.accepted, first.keys() ^ notes.accepted
        assert set(first.values()) == {1}, first.most_common(3)
        assert {outcome.type for outcome in agents} <= _ENDED
        self.laws["an accepted envelope has exactly one outcome at the agent"] += len(first)
        self.duplicates = sum(outcome.reason == "DUPLICATE" for outcome in agents)
        skipped = {name for name in notes.accepted if disposition(int(name.split("/")[2])) == SKIPPED}
        assert skipped == {each.envelope_id for each in agents if each.type == OutcomeType.OUTCOME_TYPE_SKIPPED}
        notes.accepted -= skipped
        notes.turned_away |= skipped
        check_outcomes(gateways, notes, self.laws)
        counts = notes.counts()
        check_arrivals(counts, [], self._sandbox, self.laws)
        check_repeats((*self._sandbox.events, *self._sandbox.repeats), self._gateway.starts, 0, self.laws)
        check_contacts(counts, gateways, self._sandbox, self.laws)

    async def _drained(self, daemon: Daemon) -> list[Outcome]:
        """Waits until nothing waits in a daemon's connections; returns its journal."""
        async with asyncio.timeout(WAIT_SECONDS):
            for name in ("default", SECOND):
                while True:
                    status = await daemon.connection(name)
                    if not status.waiting_normal + status.waiting_bulk:
                        break
                    await pause(0.05)
        assert not [line for line in daemon.lines if line.get("level") in {"error", "critical"}]
        return await daemon.journal()


@asynccontextmanager
async def chain_run(folder: Path, port: int, seed: int) -> AsyncIterator[ChainRun]:
    """A sandbox, a gateway, a proxy that cuts and an agent; nothing runs yet."""
    places = {name: folder / name for name in ("agent", "gateway")}
    for place in places.values():
        place.mkdir()
    address = f"127.0.0.1:{port}"
    async with Sandbox(SandboxSettings(seed=seed)) as sandbox, TcpProxy(address) as proxy:
        second = connection_for(sandbox.base_url, places["gateway"] / "token")
        gateway = Daemon(
            places["gateway"], sandbox.base_url, {"ingest": {"listen": [address]}, "connections": {SECOND: second}}
        )
        agent = Daemon(
            places["agent"],
            sandbox.base_url,
            {
                "ingest": {"listen": ["127.0.0.1:0", ADDRESS]},
                "upstream": {"target": proxy.address},
                "connections": {SECOND: {}},
            },
        )
        try:
            yield ChainRun(agent, gateway, proxy, sandbox, seed)
            await agent.close()
            await gateway.close()
        finally:
            for name, daemon in (("agent", agent), ("gateway", gateway)):
                if daemon.runs:
                    await daemon.kill()
                (folder / f"{name}.log").write_text("".join(f"{line}\n" for line in daemon.lines))
