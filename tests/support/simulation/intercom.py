"""Intercom in virtual time: the sandbox's workspace, reached without HTTP.

The seed decides how long a call takes, whether it has its effect and whether its response arrives. `order` checks each
call as it leaves, as it takes effect and as it is answered.
"""

import asyncio
from collections import Counter
from random import Random
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from clock.virtual import VirtualLoop
from intercomd_daemon.deliver.intercom import messages
from intercomd_daemon.deliver.intercom.connection_pool import CALL_SECONDS
from intercomd_daemon.deliver.intercom.messages import Call, RateHeaders, Response
from intercomd_daemon.envelope import Priority, lane_of
from intercomd_daemon.outcome import Effect, EffectKind
from intercomd_daemon.sandbox import SandboxSettings, dispatch
from intercomd_daemon.sandbox.http_messages import Headers, ReceivedRequest, error_body
from intercomd_daemon.sandbox.workspace import Workspace
from simulation.order import Order, Part

UNIX = 1_795_000_000
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Authorization": "Bearer sandbox-token",
    "Intercom-Version": "2.16",
}
SPACING = 4
"""Seconds between a user's envelopes, so that an event's time names its part."""
POISON = "poison"
"""Events of this name are refused until Intercom is healed."""
CUT = -1
"""In place of a status: the connection is reset."""
ATTRIBUTES = {Priority.NORMAL: "normal", Priority.BULK: "bulk"}
"""The custom attribute in which an update says its number."""


def time_of(part: Part) -> int:
    """The time of an event."""
    return UNIX + SPACING * part.number + part.part - 1


def part_at(time: int) -> Part:
    """The event of that time."""
    number, place = divmod(time - UNIX, SPACING)
    return Part(number, place + 1)


def part_of(number: int, effect: Effect) -> Part:
    """What an effect of this envelope was about."""
    return part_at(effect.event_time) if effect.kind is EffectKind.EVENT else Part(number, 0)


def number_of(envelope_id: str) -> int:
    """The number of an envelope among its user's."""
    return int(envelope_id.rpartition("/")[2])


class Temper(NamedTuple):
    """Of all calls, how many go wrong in which way; and how long they take, in seconds."""

    failed: float = 0.0
    """5xx, and not taken."""
    failed_after: float = 0.0
    """5xx, and taken all the same."""
    unheard: float = 0.0
    """No answer in time, and not taken."""
    lost: float = 0.0
    """No answer in time, but taken."""
    cut: float = 0.0
    """The connection is lost; taken or not."""
    limited: float = 0.0
    """429, whatever the budget says."""
    slow: float = 0.0
    """Answered after up to `slow_seconds`."""
    slow_seconds: float = 20.0
    seconds: float = 0.1


class Fate(NamedTuple):
    """How one call fares."""

    back: float
    taken: bool = True
    status: int = 200
    """Other than 200: the status that the caller gets, whatever the call did; 0: no response."""


TROUBLE = Temper(failed=0.02, failed_after=0.01, unheard=0.004, lost=0.006, cut=0.01, limited=0.001, slow=0.02)
ONWARD_SECONDS_MAX = 0.4
"""What has left arrives within this, whatever becomes of the caller."""


class FarSide:
    """The workspace and the way to it."""

    def __init__(self, loop: VirtualLoop, seed: int, order: Order, temper: Temper, settings: SandboxSettings) -> None:
        self.workspace = Workspace(settings)
        self.temper = temper
        self.stuck: dict[str, int] = {}
        """Users whose calls are all answered with a status of their own; 0: not at all; 404: their events alone.

        CUT: their connections are reset.
        """
        self.away = False
        """An outage: every call fails."""
        self.healed = False
        self.statuses: Counter[int] = Counter()
        self.over_budget = 0
        self.contact_lanes: dict[str, str] = {}
        self.priorities: dict[tuple[str, int], Priority] = {}
        """Of each user's envelopes, by number."""
        self._loop = loop
        self._chance = Random(seed)  # noqa: S311 - to be the same each time
        self._order = order
        self._count = 0

    def now(self) -> float:
        """Unix seconds by Intercom's clock."""
        return UNIX + self._loop.time()

    def calm(self) -> None:
        """From now on every call goes well."""
        self.temper = Temper()
        self.stuck.clear()
        self.away = False
        self.healed = True

    def lane_of(self, request: messages.Request) -> str:
        """Returns the user of a call; empty if it has none."""
        if request.call in {Call.READ_ME, Call.LIST_ATTRIBUTES, Call.CREATE_ATTRIBUTE}:
            return ""
        if "/contacts/" in request.path:
            return self.contact_lanes[request.path.split("/")[2]]
        body = msgspec.json.decode(request.body)
        if "id" in body:
            return self.contact_lanes[body["id"]]
        return lane_of(body.get("user_id") or body.get("external_id") or "", body.get("email", ""))

    def leave(self, request: messages.Request) -> tuple[str, asyncio.Future[Response]]:
        """A call leaves: whom it is about, and its answer, once that is there."""
        lane = self.lane_of(request)
        if lane:
            self._order.leave(lane)
        answer = self._loop.create_future()
        onward = self.temper.seconds * (0.3 + 0.4 * self._chance.random())
        self._loop.call_later(min(onward, ONWARD_SECONDS_MAX), self._arrive, lane, request, answer)
        return lane, answer

    def receive_late(self, count: int) -> None:
        """Calls arrive whose caller no longer waits: they count towards the rate limit, and have no other effect."""
        for _ in range(count):
            self._perform("", messages.Request(Call.READ_ME, "/me"))

    def _fate(self, lane: str, call: Call) -> Fate:
        temper, drawn, back = self.temper, self._chance.random(), self._chance.random()
        usual = temper.seconds * (0.3 + 0.4 * back)
        if self.away:
            return Fate(usual, taken=False, status=503) if drawn < 0.8 else Fate(CALL_SECONDS, taken=False, status=0)
        status = self.stuck.get(lane)
        if status is not None and (status != 404 or call is Call.TRACK_EVENT):
            return Fate(usual if status else CALL_SECONDS, taken=False, status=max(status, 0))
        fates = (
            (temper.failed, Fate(usual, taken=False, status=500 + int(4 * back))),
            (temper.failed_after, Fate(usual, status=502)),
            (temper.unheard, Fate(CALL_SECONDS, taken=False, status=0)),
            (temper.lost, Fate(CALL_SECONDS, status=0)),
            (temper.cut, Fate(usual, taken=back < 0.5, status=0)),
            (temper.limited, Fate(usual, taken=False, status=429)),
            (temper.slow, Fate(temper.slow_seconds * back)),
        )
        for probability, fate in fates:
            drawn -= probability
            if drawn < 0:
                return fate
        return Fate(usual)

    def _arrive(self, lane: str, request: messages.Request, answer: "asyncio.Future[Response]") -> None:
        fate = self._fate(lane, request.call) if lane or self.away else Fate(self.temper.seconds / 2)
        given = self._perform(lane, request) if fate.taken else None
        if fate.status == 0:
            given = Response(0, failure="no answer")
        elif given is None or fate.status != 200:
            given = self._refuse(request, fate.status)
        self.statuses[given.status] += 1
        self._loop.call_later(fate.back, _give, answer, given)

    def _request(self, request: messages.Request) -> tuple[ReceivedRequest, str]:
        self._count += 1
        path, _, query = request.path.partition("?")
        return ReceivedRequest(request.call.method, path, query, HEADERS, request.body), f"request-{self._count}"

    def _refuse(self, request: messages.Request, status: int) -> Response:
        asked, name = self._request(request)
        headers = dispatch.faulty_headers(self.workspace, asked, name, status, self.now())
        code = {404: "not_found", 422: "data_invalid"}.get(status, "server_error")
        return self._answer(status, error_body(name, code, "injected"), headers)

    def _perform(self, lane: str, request: messages.Request) -> Response:
        body = msgspec.json.decode(request.body) if request.body else {}
        if request.call is Call.TRACK_EVENT and body["event_name"] == POISON and not self.healed:
            return self._refuse(request, 422)
        asked, name = self._request(request)
        given = dispatch.answer(self.workspace, asked, name, self.now())
        assert not given.illegal, given.illegal
        self.over_budget += given.status == 429
        if lane and given.status < 300:
            if request.call is not Call.TRACK_EVENT:
                self.contact_lanes[msgspec.json.decode(given.body)["id"]] = lane
            self._take(lane, request.call, body)
        return self._answer(given.status, given.body, given.headers)

    def _take(self, lane: str, call: Call, body: dict[str, object]) -> None:
        if call is Call.TRACK_EVENT:
            part = part_at(body["created_at"])
            self._order.take(lane, self.priorities[lane, part.number], part)
            return
        said = body.get("custom_attributes", {})
        for priority, name in ATTRIBUTES.items():
            if name in said:
                self._order.take(lane, priority, Part(said[name], 0))

    def _answer(self, status: int, body: bytes, headers: Headers) -> Response:
        named = dict(headers)
        rate = RateHeaders(*(int(named[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")))
        return Response(status, body, request_id=named["x-request-id"], rate=rate, date=float(int(self.now())))


def _give(answer: "asyncio.Future[Response]", given: Response) -> None:
    if not answer.done():
        answer.set_result(given)


class Wire:
    """What one life of a worker has in place of `deliver.intercom.client.Intercom`: the same calls, without HTTP."""

    def __init__(self, far_side: FarSide, order: Order) -> None:
        self._far_side = far_side
        self._order = order

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def token_changed(self) -> bool:
        """Its token never changes."""
        return False

    async def call(self, request: messages.Request) -> Response:
        lane, coming = self._far_side.leave(request)
        answer = await coming
        if lane:
            self._order.answered(lane, heard=0 < answer.status < 500)
        return answer
