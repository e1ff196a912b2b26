"""Plays one fault on one call of a delivery, in virtual time.

The worker, its spool in memory, the session, the sandbox and the broken endpoints are real.
"""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Self

import msgspec

from delivery.worker import TOKEN, Notes, envelope, event, row, settings_for
from intercom.broken_endpoints import Wire
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Call, Request, Response
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.open_calls import CONNECTIONS_MAX
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import Worker
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.fault_text import parse_fault
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.sandbox.settings import CustomAttribute
from intercomd_daemon.sandbox.workspace import Workspace
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import CachedContact, Settlement

NOON = 1_795_000_000.0
CALLS_PER_WINDOW = 1000
# More calls than any play needs: those that follow each other without a pause would never end.
CALLS_MAX = 2000

People = Callable[[Workspace, str], Contact | None]


def _no_contact(_: Workspace, __: str) -> None:
    return None


def _the_user(workspace: Workspace, user: str) -> Contact:
    return workspace.add_contact(user)


def _with_an_old_email(workspace: Workspace, user: str) -> Contact:
    return workspace.add_contact(user, f"{user}@old.org")


def _the_email_alone(workspace: Workspace, user: str) -> Contact:
    return workspace.add_contact(None, f"{user}@x.org")


def _archived(workspace: Workspace, user: str) -> Contact:
    return workspace.archive(workspace.add_contact(user).id)


@dataclass(frozen=True, slots=True)
class Scene:
    """How a call comes about: the state of Intercom and the contact cache, the envelope's values, and the settings."""

    people: People = _the_user
    path: str = ""
    """As a fault matches it; empty: the call's own."""
    email: bool = False
    says: dict[str, str] = field(default_factory=dict)
    known: bool = False
    """Whether the contact cache holds the contact's id."""
    plan_exists: bool = True
    unarchive: bool = False


_PRO = {"plan": "pro"}
SCENES = {
    Call.READ_ME: Scene(),
    Call.LIST_ATTRIBUTES: Scene(_no_contact, says=_PRO),
    Call.CREATE_ATTRIBUTE: Scene(_no_contact, says=_PRO, plan_exists=False),
    Call.CREATE_CONTACT: Scene(_no_contact, says=_PRO, email=True),
    Call.UPDATE_CONTACT: Scene(_with_an_old_email, "/contacts/", says=_PRO, email=True, known=True),
    Call.READ_CONTACT: Scene(_the_email_alone, "/contacts/", says=_PRO, email=True),
    Call.UNARCHIVE_CONTACT: Scene(_archived, "/contacts/", says=_PRO, unarchive=True),
    Call.TRACK_EVENT: Scene(),
}


@dataclass(slots=True)
class Made:
    """A call with its response; the times are virtual."""

    request: Request
    answer: Response
    left: float
    ended: float
    away: bool
    """Whether it was led elsewhere than to the sandbox."""


class Road(IntercomClient):
    """A client that records its calls, and sends a given number of those of one kind elsewhere."""

    def __init__(self, settings: ConnectionSettings, call: Call, elsewhere: str, times: int) -> None:
        super().__init__(settings, AccessToken(TOKEN), CONNECTIONS_MAX)
        self.made: list[Made] = []
        self.times = times if elsewhere else 0
        self._call = call
        # A session over TLS loads all trusted certificates, about 1 MiB: none without a place to lead calls to.
        base_url = elsewhere or settings.base_url
        self._elsewhere = IntercomClient(
            msgspec.structs.replace(settings, base_url=base_url), AccessToken(TOKEN), CONNECTIONS_MAX
        )

    async def __aenter__(self) -> Self:
        await self._elsewhere.__aenter__()
        await super().__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self._elsewhere.__aexit__(*error)

    async def call(self, request: Request) -> Response:
        assert len(self.made) < CALLS_MAX, "calls follow each other without a pause"
        away = request.call is self._call and self.times > 0
        self.times -= away
        clock = asyncio.get_running_loop().time
        left = clock()
        answer = await (self._elsewhere.call(request) if away else super().call(request))
        self.made.append(Made(request, answer, left, clock(), away))
        return answer


class Play:
    """One connection with some users, one fault on one call, and all that came of it; an asynchronous context."""

    def __init__(self, call: Call, how: str, users: Sequence[str], times: int) -> None:
        """`how`: a fault of the sandbox, after `no-rate-headers` if they are absent; or `to` and a place."""
        loop = asyncio.get_running_loop()
        words = shlex.split(how)
        self.call, self.scene, self.users, self.times = call, SCENES[call], users, times
        self._place = words[1] if words[:1] == ["to"] else ""
        self._fault = "" if self._place else shlex.join(word for word in words if word != "no-rate-headers")
        self._clock = Clock(lambda: NOON + loop.time(), loop.time, lambda: 1.0)
        self._open = AsyncExitStack()
        attributes = (CustomAttribute("plan"),) if self.scene.plan_exists else ()
        self.sandbox = Sandbox(
            SandboxSettings(
                recorded=NONE,
                rate_limit=CALLS_PER_WINDOW,
                rate_headers="no-rate-headers" not in words,
                attributes=attributes,
            ),
            clock=self._clock.wall,
        )
        self.notes = Notes()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self.sandbox)
        elsewhere = ""
        if self._place:
            elsewhere = await self._open.enter_async_context(Wire(self._place, self.sandbox.port))
        settings = settings_for(self.sandbox, unarchive=self.scene.unarchive)
        spool = MemorySpool(wall=self._clock.wall, monotonic=self._clock.monotonic)
        self._open.push_async_callback(spool.close)
        for user in self.users:
            await self._introduce(user, spool)
        email = "{}@x.org".format if self.scene.email else lambda _: ""
        envelopes = [
            envelope(f"of {user}", user, dict(self.scene.says), event("came"), email=email(user)) for user in self.users
        ]
        await spool.append([row(envelope) for envelope in envelopes])
        self.spool = spool
        self.road = Road(settings, self.call, elsewhere, self.times)
        pace = Pace(CALLS_PER_WINDOW, 1.0, self._clock.monotonic())
        self.worker = Worker(settings, await spool.acquire("workspace"), self.road, pace, self.notes, clock=self._clock)
        running = asyncio.create_task(self.worker.run())
        self._open.push_async_callback(self._stop, running)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()

    async def _stop(self, running: "asyncio.Task[None]") -> None:
        self.worker.stop()
        await running

    async def _introduce(self, user: str, spool: MemorySpool) -> None:
        """Creates the contacts of the scene; the fault may name them."""
        people = _the_user if "{id}" in self._fault and self.scene.people is _no_contact else self.scene.people
        contact = people(self.sandbox.workspace, user)
        if contact and self.scene.known:
            await spool.settle([Settlement("default", contacts=[CachedContact(f"c:{user}", contact.id, b"")])])
        if self._fault and user == self.users[0]:
            method, path = self.call.value.split(" ")
            fault = self._fault.replace("{id}", contact.id if contact else "")
            self.sandbox.fault(parse_fault(f"{method} {self.scene.path or path} {fault} times={self.times}"))

    def lift(self) -> None:
        """The fault is over."""
        self.sandbox.faults.clear()
        self.road.times = 0

    def check(self) -> None:
        """Checks what holds for every fault: the sandbox received exactly the calls that were counted, all valid."""
        assert self.sandbox.illegal_requests == []
        assert self.worker.status().calls == len(self.road.made) == sum(self.notes.calls.values())
        reached = [made.request for made in self.road.made if not made.away or self._place == "reset-after"]
        seen = [f"{call.method} {call.path}" for call in self.sandbox.calls]
        counted = [f"{request.call.method} {request.path.partition('?')[0]}" for request in reached]
        # The calls of several users are answered in any order.
        assert (seen, sorted(seen))[len(self.users) > 1] == (counted, sorted(counted))[len(self.users) > 1]
