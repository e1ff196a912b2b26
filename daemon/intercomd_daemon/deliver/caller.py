"""Makes the calls of one connection, and tells pace and observer how they went; what an answer means is for others."""

from types import TracebackType

from intercomd_daemon.deliver.clock import Clock
from intercomd_daemon.deliver.exchange import Answer, Request
from intercomd_daemon.deliver.gate import Observer
from intercomd_daemon.deliver.intercom import Intercom
from intercomd_daemon.deliver.pace import Pace

# No answer, our access, a time-out, the budget; other refusals are about one user, and stand in that user's outcome.
_OF_THE_CONNECTION = frozenset({0, 401, 402, 403, 407, 408, 421, 429, 431})


class Caller:
    """A session with Intercom; use as an asynchronous context."""

    def __init__(self, connection: str, intercom: Intercom, pace: Pace, observer: Observer, clock: Clock) -> None:
        self.calls = 0
        """Made since the start, those included that a dry run only counts."""
        self.last_error = ""
        """The last failure that concerned the connection as a whole, in words."""
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

    async def make(self, request: Request) -> Answer:
        """Makes a call that the pace has let pass; a failure of the network is an answer of status 0."""
        sent = self._clock.monotonic()
        self.calls += 1
        answer = await self._intercom.call(request)
        now = self._clock.monotonic()
        self._pace.answered(answer, sent, now)
        self._observer.on_call(self._connection, request.call, answer.status, now - sent)
        if answer.status >= 500 or answer.status in _OF_THE_CONNECTION:
            self.last_error = f"{request.call}: {answer.failure or answer.status}"
        return answer
