"""A sandbox that stands in for Intercom: a workspace behind an HTTP server, with recorded calls and faults on request.

This class composes the package and is its interface.
"""

import asyncio
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from intercomd_daemon.sandbox import dispatch
from intercomd_daemon.sandbox.calls import Calls, ReceivedCall
from intercomd_daemon.sandbox.contact import Contact
from intercomd_daemon.sandbox.control import PREFIX, answer_control
from intercomd_daemon.sandbox.events import Event
from intercomd_daemon.sandbox.fault_text import parse_fault
from intercomd_daemon.sandbox.faults import Fault, FaultCount, Faults, corrupt_answer, fault_answer
from intercomd_daemon.sandbox.http_messages import HttpResponse, ReceivedRequest
from intercomd_daemon.sandbox.server import Exchange, Server
from intercomd_daemon.sandbox.settings import CustomAttribute, SandboxSettings
from intercomd_daemon.sandbox.workspace import Workspace

TIMEOUT_SECONDS = 60.0
"""The default timeout of `wait_for`: long enough on a busy machine, too, for everything that comes at all."""


class Sandbox:
    """A sandbox. `async with Sandbox(settings) as sandbox:` starts it on a free port of the loopback, and stops it.

    `workspace` is its state, which tests may read and change; `faults` are the active faults; `record` holds the calls.
    `clock` returns Unix seconds; a wrong clock simulates a server with a wrong clock.
    """

    def __init__(self, settings: SandboxSettings | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings or SandboxSettings()
        self.host = "127.0.0.1"
        self.port = 0
        self._clock = clock
        self._server = Server(self._receive, clock)
        self._waiting: list[tuple[Callable[[Sandbox], object], asyncio.Future[None]]] = []
        self.reset()

    def reset(self) -> None:
        """Drops contacts, attributes, events, calls and faults; settings and open connections stay."""
        settings = self.settings
        self._random = random.Random(settings.seed)  # noqa: S311 - chance for faults, and nothing to guess
        self.workspace = Workspace(settings)
        self.faults = Faults(self._random.random)
        self.record = Calls(calls_max=settings.calls_max, illegal_max=settings.illegal_requests_max)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, host: str | None = None, port: int | None = None) -> None:
        """Listens; after a stop at the same address, with the same state, unless another is given.

        Raises:
            OSError: the address is in use or not local.
        """
        self.host = self.host if host is None else host
        self.port = await self._server.start(self.host, self.port if port is None else port)

    async def stop(self) -> None:
        """Stops listening and aborts every connection, as in an outage; the state stays."""
        await self._server.stop()

    @property
    def base_url(self) -> str:
        """The URL, such as `http://127.0.0.1:40123`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def calls(self) -> list[ReceivedCall]:
        """A copy of the newest `calls_max` calls, oldest first; `record.count` counts all of them."""
        return self.record.all()

    @property
    def illegal_requests(self) -> list[ReceivedCall]:
        """Calls that Intercom's description does not allow; tests end by asserting that there are none."""
        return self.record.illegal()

    @property
    def contacts(self) -> list[Contact]:
        """The contacts, archived and blocked ones too, oldest first."""
        return self.workspace.contacts.all()

    @property
    def events(self) -> list[Event]:
        """The recorded events, oldest first, without repeats."""
        return self.workspace.events.all()

    @property
    def repeats(self) -> list[Event]:
        """The repeats of earlier events, also answered with 202, oldest first."""
        return self.workspace.events.repeats()

    @property
    def attributes(self) -> list[CustomAttribute]:
        """The custom attributes, archived ones too, oldest first."""
        return self.workspace.attributes.all()

    def fault(self, fault: Fault | str) -> FaultCount:
        """Adds a fault, given as an object or as text; `hit` of the result counts its hits.

        Raises:
            FaultSyntaxError: the text is malformed.
        """
        return self.faults.add(parse_fault(fault) if isinstance(fault, str) else fault)

    async def wait_for(
        self, predicate: Callable[["Sandbox"], object], timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Wait until the predicate holds; it is evaluated now, and whenever a call arrives or ends.

        Raises:
            TimeoutError: it did not hold in time; the message lists the newest calls.
        """
        if predicate(self):
            return
        waiting = (predicate, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(timeout_seconds):
                await waiting[1]
        except TimeoutError:
            newest = ", ".join(f"{call.method} {call.path} {call.status}" for call in self.calls[-10:])
            message = f"not within {timeout_seconds:g} s; {self.record.count} calls, the newest: {newest or 'none'}"
            raise TimeoutError(message) from None
        finally:
            self._waiting.remove(waiting)

    def _receive(self, request: ReceivedRequest) -> Exchange:
        if request.path.startswith(PREFIX):
            return Exchange(answer_control(self, request), None, _nothing)
        now = self._clock()
        number = self.record.count + 1
        request_id = f"{self.settings.seed & 0xFFFFFFFF:08x}-5a4d-4b05-8a4d-{number:012x}"
        fault = self.faults.pick(request.method, request.path, request.body)
        answer = self._answer(request, fault, request_id, now)
        call = ReceivedCall(
            number=number,
            time=now,
            method=request.method,
            path=request.path,
            query_string=request.query,
            body=request.body,
            version=request.headers.get("Intercom-Version", ""),
            status=answer.status,
            request_id=request_id,
            taken=fault is None or fault.takes,
            fault="" if fault is None else str(fault),
            illegal=answer.illegal,
        )
        self.record.add(call)
        self._wake()
        return Exchange(answer if fault is None else corrupt_answer(fault, answer), fault, lambda: self._end(call))

    def _answer(self, request: ReceivedRequest, fault: Fault | None, request_id: str, now: float) -> HttpResponse:
        if fault is None or fault.takes:
            return dispatch.answer(self.workspace, request, request_id, now)
        answer = fault_answer(fault, request_id, self.workspace.rate.message)
        if not answer.status:
            return answer
        headers = dispatch.faulty_headers(self.workspace, request, request_id, answer.status, now)
        return HttpResponse(answer.status, answer.body, headers)

    def _end(self, call: ReceivedCall) -> None:
        call.ended = self._clock()
        self._wake()

    def _wake(self) -> None:
        for predicate, future in self._waiting:
            if not future.done():
                self._check(predicate, future)

    def _check(self, predicate: Callable[["Sandbox"], object], future: asyncio.Future[None]) -> None:
        try:
            if predicate(self):
                future.set_result(None)
        except Exception as error:  # noqa: BLE001 - raised where the predicate was passed in
            future.set_exception(error)


def _nothing() -> None:
    """Ignores the end of an exchange that is not recorded."""
