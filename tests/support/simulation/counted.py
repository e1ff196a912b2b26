"""Counts the calls that a worker makes for a list of envelopes, in virtual time and without faults.

The seed decides how long each call and each commit takes, into how many requests the envelopes are divided, and when
these arrive: so which rows wait while a call is in flight, and which are read before its result is committed.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

from clock.virtual import VirtualLoop, run_virtually
from delivery.worker import Notes, row
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.messages import Request, Response
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import Worker
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.sandbox import CustomAttribute, SandboxSettings, dispatch
from intercomd_daemon.sandbox.http_messages import ReceivedRequest
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.sandbox.workspace import Workspace
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory import MemorySpool
from simulation.delayed_spool import InMemory
from simulation.intercom import HEADERS, UNIX

SLOWEST_SECONDS = (0.05, 0.5, 3.0, 25.0)
STALLS = (0.0, 0.05, 0.3)
REQUESTS = (1, 2, 2, 5, 50)
PAUSE_SECONDS = (0.0, 0.01, 0.1, 3.0)


class _Intercom:
    """A workspace that answers after the seed's time."""

    def __init__(self, loop: VirtualLoop, chance: Random, attributes: Sequence[CustomAttribute]) -> None:
        self.calls: Counter[str] = Counter()
        """Calls about contacts and events, with their statuses: `POST /contacts 200`."""
        self._loop = loop
        self._chance = chance
        self._slowest = chance.choice(SLOWEST_SECONDS)
        self._workspace = Workspace(SandboxSettings(recorded=NONE, rate_limit=0, attributes=tuple(attributes)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def token_changed(self) -> bool:
        """Its token never changes."""
        return False

    async def call(self, request: Request) -> Response:
        await self._pass_some_time()
        path, _, query = request.path.partition("?")
        received = ReceivedRequest(request.call.method, path, query, HEADERS, request.body)
        now = UNIX + self._loop.time()
        answer = dispatch.answer(self._workspace, received, "request", now)
        assert not answer.illegal, answer.illegal
        if path.startswith(("/contacts", "/events")):
            self.calls[f"{request.call} {answer.status}"] += 1
        await self._pass_some_time()
        return Response(answer.status, answer.body, date=float(int(now)))

    async def _pass_some_time(self) -> None:
        await self._loop.passes(self._chance.random() * self._chance.choice((0.02, 0.2, self._slowest)))


class _Delayed:
    """The spool of a worker, whose operations take effect with the next commit."""

    def __init__(self, spool: MemorySpool, commits: InMemory) -> None:
        self._spool = spool
        self._commits = commits

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a method of the spool
        method = getattr(self._spool, name)
        if name == "on_append":
            return method
        return lambda *arguments: self._commits.perform(lambda: method(*arguments))

    def check_held(self) -> None:
        """No other process takes the workspace."""


def count_calls(
    seed: int, envelopes: Sequence[AcceptedEnvelope], attributes: Sequence[CustomAttribute] = ()
) -> dict[str, int]:
    """Delivers the envelopes; returns the calls about contacts and events by call and status."""

    async def deliver(loop: VirtualLoop) -> dict[str, int]:
        def wall() -> float:
            return UNIX + loop.time()

        chance = Random(seed)  # noqa: S311 - to be the same each time
        spool = MemorySpool(wall=wall, monotonic=loop.time)
        delayed = _Delayed(spool, InMemory(loop, chance, stalls=chance.choice(STALLS)))
        intercom, notes = _Intercom(loop, chance, attributes), Notes()
        settings = ConnectionSettings(name="default", app_id="sandbox")
        pace, clock = Pace(1_000_000, 1.0, loop.time()), Clock(wall, loop.time, chance.random)
        worker = Worker(settings, LocalOutflow(delayed, "workspace"), intercom, pace, notes, clock=clock)
        running = loop.create_task(worker.run())
        requests, pause = chance.choice(REQUESTS), chance.choice(PAUSE_SECONDS)
        rows = [row(each) for each in envelopes]
        for number in range(requests):
            await spool.append(rows[number * len(rows) // requests : (number + 1) * len(rows) // requests])
            await loop.passes(pause * chance.random())
        await notes.until(lambda notes: len(notes.outcomes) == len(rows), seconds=86_400)
        worker.stop()
        await running
        return dict(intercom.calls)

    return run_virtually(deliver)
