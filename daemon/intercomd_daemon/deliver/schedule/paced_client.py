"""The client of one connection: its calls count against the rate limit, and each is reported."""

import asyncio
from collections.abc import Sequence
from types import TracebackType

from intercomd_daemon.deliver.intercom.classification import Classification, describe_failure
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Call, Request, Response
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_monitor import Observer
from intercomd_daemon.deliver.schedule.pacing import Pace

# No response, our access, a timeout, the rate limit. Other refusals concern one user and are in that user's outcome.
_OF_THE_CONNECTION = frozenset({0, 401, 402, 403, 407, 408, 421, 429, 431})


class PacedClient:
    """Calls Intercom, and reports each call to the pace and the observer; an asynchronous context manager."""

    def __init__(self, connection: str, intercom: IntercomClient, pace: Pace, observer: Observer, clock: Clock) -> None:
        self.calls = 0
        """Calls since the start, including those that a dry run only counts."""
        self.last_error = ""
        """The last failure that concerned the whole connection, as text."""
        self._connection = connection
        self._intercom = intercom
        self._pace = pace
        self._observer = observer
        self._clock = clock

    async def __aenter__(self) -> None:
        await self._intercom.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._intercom.__aexit__(kind, error, trace)

    async def call_within_budget(self, request: Request) -> Response:
        """Waits until the pace allows a call, then makes it."""
        while True:
            now = self._clock.monotonic()
            at = self._pace.next_at(now)
            if at <= now:
                break
            await asyncio.sleep(at - now)
        self._pace.take(now)
        return await self.call(request)

    def token_changed(self) -> bool:
        """Returns whether the token, or the problem with its file, is another one than at the last call."""
        return self._intercom.token_changed()

    def skip(self, call: Call) -> None:
        """Counts and reports a call that a dry run does not make."""
        self.calls += 1
        self._observer.on_notice(self._connection, "call_not_made", call=str(call))

    async def call(self, request: Request, traceparents: Sequence[str] = ()) -> Response:
        """Makes a call that the pace has counted already; a network failure is a response with status 0."""
        sent = self._clock.monotonic()
        self.calls += 1
        response = await self._intercom.call(request)
        now = self._clock.monotonic()
        self._pace.on_response(response, sent, now)
        seconds = now - sent
        self._observer.on_call(self._connection, request.call, response.status, seconds, traceparents, request.body)
        if _is_of_connection(response.status):
            self.last_error = f"{request.call}: {response.failure or response.status}"
        return response

    def note_failure(self, call: Call, classification: Classification, response: Response) -> None:
        """Keeps a failure that its status does not show, such as a success without what Intercom documents for it."""
        if not _is_of_connection(response.status):
            self.last_error = describe_failure(call, classification, response)


def _is_of_connection(status: int) -> bool:
    return status >= 500 or status in _OF_THE_CONNECTION
