"""Kills a daemon again and again, in each phase of its life, while senders publish and deliveries run.

The plan is the oracle: what Intercom must hold follows only from the results that the senders got.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path

import grpc

from daemons.process import EXECUTABLE, Daemon, connection_for
from intercom.fault_proxy import FaultProxy
from intercomd.v1.operations_pb2 import (
    ListDeadLettersRequest,
    ListOutcomesRequest,
    ReplayDeadLettersRequest,
    WatchOutcomesRequest,
)
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.sandbox import FaultCount, Sandbox, SandboxSettings
from kill_harness.figures import Figures
from kill_harness.kills import Kill, Killer, pause
from kill_harness.laws import check_arrivals, check_contacts, check_outcomes, check_repeats, dead
from kill_harness.plan import SECOND, User
from kill_harness.producers import Notes, Producers
from senders.client import envelope

ADDRESS = "unix:ingest"
"""In the folder of the run, where all its processes are at work: it stays the same when the daemon starts again."""
USERS = 24
WAITING_MAX = 300
"""Senders slow down while this many envelopes wait, so that the end of the run is short."""
WAIT_SECONDS = 180.0
FAULT_EVERY = 40
"""Calls, of which one meets a fault of the proxy."""
ANSWERS = (
    "* 503 times=3",
    "POST /events 422 times=1",
    "* 429 times=1",
    "PUT /contacts/ 422 times=1",
    "* 500 empty times=2",
    "* 408 times=1",
    "* 502 not-json times=1",
    "PUT /contacts/ 409 times=1",
)
"""The sandbox's faults, one of which begins each span between kills. The last is a conflict that names none."""
OUTAGE_SECONDS = 0.5
_PAGE_SIZE = 1000


class KillRun:
    """One run: eras after each other, each with users of its own, over one spool and one sandbox."""

    def __init__(self, daemon: Daemon, sandbox: Sandbox, proxy: FaultProxy, seed: int) -> None:
        self._daemon = daemon
        self._sandbox = sandbox
        self._proxy = proxy
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - when to kill is nothing to guess
        self._killer = killer = Killer(daemon, proxy, self._random)
        # A daemon that is down is started for the next kill, or killed while it starts: half as many starts as kills.
        self._ways = cycle((killer.committing, killer.starting, killer.delivering, killer.draining))
        self._faults = cycle(ANSWERS)
        self._struck: dict[str, list[FaultCount]] = {text: [] for text in ANSWERS}
        self._kills: list[Kill] = []
        self._sequence = 0
        """Of the last outcome of the era before."""
        self.figures = Figures()

    async def era(self, number: int, kills: int) -> None:
        """Kills the daemon so often amid everything, lets it finish, and checks what Intercom and the journal hold."""
        users = [User(number, place) for place in range(USERS)]
        for user in users:
            if user.beforehand:
                self._sandbox.workspace.add_contact(**user.beforehand)
        producers = Producers(self._daemon.folder, ADDRESS, users, WAITING_MAX, self._seed + number)
        self._proxy.every = FAULT_EVERY
        try:
            await producers.start()
            for _ in range(kills):
                await self._fall(next(self._ways))
                producers.check()
            await self._daemon.start()
            await producers.stop()
        finally:
            producers.kill()
        await self._end(producers.notes())
        await self._hurry()

    async def outlast(self) -> None:
        """Stops the daemon by one signal while an answer never comes: the drain takes its time, and ends by itself."""
        await self._daemon.start()
        self._proxy.holding = True
        await self._daemon.publish(envelope("outlasted", "Held", envelope_id="outlasted"))
        await self._proxy.until(lambda: self._proxy.open)
        assert await self._daemon.stop() == 0
        assert self._daemon.logged("stopped")
        self._proxy.let_go()
        await self._daemon.start()
        await self._watched({("outlasted", 0)})
        self.figures.laws["a drain that is outlasted ends well, and nothing is lost"] += 1

    async def _fall(self, way: Callable[[], Awaitable[Kill]]) -> None:
        """One kill of a daemon that is down before and after."""
        if way.__name__ == "starting":
            self._kills.append(await way())
            return
        await self._daemon.start()
        self._listen()
        await self._work()
        self._kills.append(await way())
        if len(self._kills) % 15 == 14:
            await self._hurry(start=True)

    def _listen(self) -> None:
        """What has been said since the last look holds no error: nothing of ours has gone wrong, nothing is damaged."""
        errors = [line for line in self._daemon.lines if line.get("level") in {"error", "critical"}]
        assert not errors, errors
        self._daemon.forget()

    async def _work(self) -> None:
        """Something to do before the next kill, in which something goes wrong."""
        text = next(self._faults)
        self._struck[text].append(self._sandbox.fault(text))
        if len(self._kills) % 12 == 6:
            await self._proxy.outage(OUTAGE_SECONDS)
        answered = self._proxy.answered + self._random.randint(20, 120)
        await self._proxy.until(lambda: self._proxy.answered >= answered, WAIT_SECONDS)

    async def _hurry(self, *, start: bool = False) -> None:
        """A stop by two signals repeats no call without need, and ends with exit code 0."""
        if start:
            await self._daemon.start()
            await pause(self._random.uniform(0.0, 0.5))
        assert await self._daemon.hurry() == 0
        self.figures.stops += 1

    async def _end(self, notes: Notes) -> None:
        """Nothing goes wrong any more: everything that was accepted comes to its end, and is looked at."""
        self._listen()
        self._sandbox.faults.clear()
        self._proxy.every = 0
        figures, laws = self.figures, self.figures.laws
        outcomes = await self._watched({(name, 0) for name in notes.accepted})
        refused = dead(outcomes)
        await self._replay(refused)
        outcomes += await self._watched({(name, 1) for name in refused})
        check_outcomes(outcomes, notes, laws)
        check_outcomes(await self._listed(outcomes[0].sequence), notes, laws)
        assert all(self._daemon.outcomes[name] <= 1 + (name in refused) for name in notes.accepted), "reported twice"
        counts = notes.counts()
        check_arrivals(counts, refused, self._sandbox, laws)
        events = (*self._sandbox.events, *self._sandbox.repeats)
        check_repeats(events, self._daemon.starts, self._proxy.answers_lost, laws)
        check_contacts(counts, outcomes, self._sandbox, laws)
        figures.add_kills(self._kills, notes)
        figures.add_notes(notes)
        figures.add_outcomes(outcomes)
        figures.add_proxy(self._proxy)
        figures.repeats = self._sandbox.workspace.events.repeated
        for text, counted in self._struck.items():
            figures.faults[text] = sum(each.hit for each in counted)
        self._kills.clear()
        self._daemon.outcomes.clear()
        await self._fresh()

    async def _watched(self, missing: set[tuple[str, int]]) -> list[Outcome]:
        """The journal from where it was last looked at, watched until all these have ended, each with its replay."""
        outcomes: list[Outcome] = []
        watch = self._daemon.operations.WatchOutcomes(WatchOutcomesRequest(after_sequence=self._sequence))
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while missing:
                    message = await watch.read()
                    assert message is not grpc.aio.EOF
                    assert not message.missed_count
                    outcomes.append(message.outcome)
                    missing.discard((message.outcome.envelope_id, message.outcome.replay))
        except TimeoutError:
            raise AssertionError(f"accepted, and without an outcome: {sorted(missing)}") from None
        watch.cancel()
        self._sequence = outcomes[-1].sequence if outcomes else self._sequence
        return outcomes

    async def _listed(self, first_sequence: int) -> list[Outcome]:
        """The journal from this sequence on, asked for in pages, oldest first."""
        outcomes: list[Outcome] = []
        token = ""
        while not outcomes or (token and outcomes[-1].sequence >= first_sequence):
            request = ListOutcomesRequest(page_size=_PAGE_SIZE, page_token=token)
            page = await self._daemon.operations.ListOutcomes(request)
            outcomes += page.outcomes
            token = page.next_page_token
        return [outcome for outcome in reversed(outcomes) if outcome.sequence >= first_sequence]

    async def _replay(self, refused: list[str]) -> None:
        """What Intercom refused is sent again, and the daemon is killed over it."""
        listed = await self._daemon.operations.ListDeadLetters(ListDeadLettersRequest(page_size=1))
        assert listed.total_count == len(refused)
        if refused:
            request = ReplayDeadLettersRequest(expected_count=len(refused))
            assert (await self._daemon.operations.ReplayDeadLetters(request)).count == len(refused)
            await self._daemon.kill()
            await self._daemon.start()

    async def _fresh(self) -> None:
        """After all that, an envelope goes through like any other."""
        name = f"fresh/{self._sequence}"
        await self._daemon.publish(envelope(name, "Fresh", envelope_id=name))
        (outcome,) = await self._watched({(name, 0)})
        assert outcome.envelope_id == name
        self.figures.laws["a fresh envelope goes through"] += 1


@asynccontextmanager
async def kill_run(folder: Path, seed: int) -> AsyncIterator[KillRun]:
    """A sandbox, a proxy that loses calls, and a daemon before it with two connections; nothing runs yet."""
    # A window of a second, so that a 429 costs no more than that.
    async with (
        Sandbox(SandboxSettings(rate_window_seconds=1.0, seed=seed)) as sandbox,
        FaultProxy(sandbox.base_url, seed) as proxy,
    ):
        tables = {
            "ingest": {"listen": ["127.0.0.1:0", ADDRESS]},
            "connections": {SECOND: connection_for(proxy.base_url, folder / "token")},
        }
        daemon = Daemon(folder, proxy.base_url, tables, EXECUTABLE)
        try:
            yield KillRun(daemon, sandbox, proxy, seed)
            await daemon.close()
        finally:
            if daemon.runs:
                await daemon.kill()
            (folder / "log").write_text("".join(f"{line}\n" for line in daemon.lines))
