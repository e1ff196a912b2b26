"""Delivers one batch until every frame has its result: decides when to repeat, wait, divide and give up.

No I/O and no clock. `Delivery.deliver` is a generator that yields calls and pauses. The publishers perform them on an
event loop, on a thread or at exit, and send the replies back.
"""

import logging
from asyncio import CancelledError
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction

import grpc

from intercomd.buffer import Batch
from intercomd.errors import PublishError
from intercomd.framing import envelope_id, unframe
from intercomd.retry import Advice, advise, backoff_seconds, explain, read_details
from intercomd.settings import PublisherSettings
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import (
    DISPOSITION_REJECTED,
    DISPOSITION_UNSPECIFIED,
    EnvelopeResult,
    PublishRequest,
    PublishResponse,
    Violation,
)

ResultsCallback = Callable[[Sequence[EnvelopeResult]], None]
RejectedCallback = Callable[[Envelope, EnvelopeResult], None]

REFUSED_SECONDS_MAX = 300.0
"""How long a refused request is repeated after calls have succeeded: long enough to replace a token."""
REFUSED_WARNING_SECONDS = 60.0
"""The time between two warnings about the refusal."""

ENVELOPE_ID_BYTES_MAX = 128
"""The daemon's limit."""

logger = logging.getLogger("intercomd")


@dataclass(frozen=True, slots=True)
class Call:
    """Requests one call. The reply is a `Response` or a `Failure`."""

    request: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Requests a pause. The reply is None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a call."""

    message: PublishResponse


@dataclass(frozen=True, slots=True)
class Failure:
    """The error status of a call.

    Attributes:
        now: when it came, in seconds of a monotonic clock.
        share: a random number from 0.0 to 1.0, the share of the longest pause to wait.
    """

    code: grpc.StatusCode
    details: str
    trailers: Sequence[tuple[str, str | bytes]]
    error: Exception
    now: float
    share: float


Reply = Response | Failure | None
Steps = Generator[Call | Pause, Reply, None]


@dataclass(slots=True)
class _Attempts:
    """The failed calls of one request."""

    failures: int = 0
    first_at: float = 0.0
    refused_at: float | None = None
    warned_at: float = 0.0


class Delivery:
    """Delivers the batches of one publisher, several at a time, and calls its callbacks.

    Raises:
        TypeError: a callback is a coroutine function, which would never run.
    """

    def __init__(
        self,
        target: str,
        settings: PublisherSettings,
        on_results: ResultsCallback | None,
        on_rejected: RejectedCallback | None,
        *,
        is_plain: bool = False,
    ) -> None:
        for name, callback in (("on_results", on_results), ("on_rejected", on_rejected)):
            if iscoroutinefunction(callback):
                raise TypeError(f"{name} must be a plain function, not a coroutine function: start a task in it")
        self._target = target
        self._is_plain = is_plain
        self._settings = settings
        self._on_results = on_results
        self._on_rejected = on_rejected
        # The other fields of the request, which follow the frames.
        self._request_end = PublishRequest(validate_only=settings.validate_only).SerializeToString()
        # Halved when the daemon refuses a call as a whole, until calls succeed.
        self._call_envelopes_max = settings.batch_envelopes_max
        self._has_succeeded = False
        self.last_failure: PublishError | None = None
        """The newest failed call; None after a success."""

    def deliver(self, batch: Batch) -> Steps:
        """Yields calls and pauses until every frame has its result.

        Raises:
            PublishError: the daemon refuses the batch, and repeating does not help.
        """
        while batch.answered < len(batch.frames):
            frames = batch.frames[batch.answered : batch.answered + self._call_envelopes_max]
            results = yield from self._results(frames)
            if results:
                self._return_results(batch, frames, results)

    def _results(self, frames: list[bytes]) -> Generator[Call | Pause, Reply, Sequence[EnvelopeResult]]:
        """Returns one result for each frame; none if they must be sent in smaller requests."""
        attempts = _Attempts()
        rejected: dict[int, EnvelopeResult] = {}  # by the frame's place
        while len(rejected) < len(frames):
            sent = [framed for place, framed in enumerate(frames) if place not in rejected]
            reply = yield Call(b"".join((*sent, self._request_end)))
            if isinstance(reply, Response):
                results = self._on_response(reply.message, sent, attempts)
                remaining = iter(results)
                return [rejected.get(place) or next(remaining) for place in range(len(frames))] if rejected else results
            if reply is None:
                raise TypeError("a call has a reply")
            advice, connection = self._on_failure(reply, frames, rejected)
            if advice is Advice.REJECT_CONNECTION:
                rejected |= self._rejected_connection(frames, rejected, connection, reply)
            elif advice is Advice.DIVIDE and len(sent) > 1:
                self._call_envelopes_max = (len(sent) + 1) // 2
                return []
            elif advice is Advice.DIVIDE and reply.code is grpc.StatusCode.INVALID_ARGUMENT:
                self._call_envelopes_max = self._settings.batch_envelopes_max
                place = next(place for place in range(len(frames)) if place not in rejected)
                rejected[place] = _rejection(frames[place], reply.code.name, reply.details)
            else:
                yield Pause(self._pause_seconds(advice, reply, attempts))
        return [rejected[place] for place in range(len(frames))]

    def _on_response(
        self, response: PublishResponse, sent: Sequence[bytes], attempts: _Attempts
    ) -> Sequence[EnvelopeResult]:
        if fault := _fault(response.results, sent):
            raise PublishError(f"{fault}: {self._target} is not intercomd; set `target` to its ingest address")
        if attempts.failures:
            logger.info("Publishing goes on after %d failed calls", attempts.failures)
        self._has_succeeded = True
        self.last_failure = None
        return response.results

    def _on_failure(
        self, failure: Failure, frames: list[bytes], rejected: dict[int, EnvelopeResult]
    ) -> tuple[Advice, str]:
        """Returns what to do, and the connection that the caller may not use."""
        text = explain(
            failure.code,
            failure.details,
            self._target,
            has_tls=not self._is_plain,
            has_succeeded=self._has_succeeded,
        )
        self.last_failure = PublishError(text, failure.code)
        self.last_failure.__cause__ = failure.error
        details = read_details(failure.trailers)
        advice = advise(failure.code, failure.details, details)
        connection = details.forbidden_connection or ""
        if advice is Advice.REJECT_CONNECTION and not self._places_of(connection, frames, rejected):
            advice = Advice.STOP  # no envelope is of that connection: rejecting none and repeating would never end
        return advice, connection

    def _places_of(self, connection: str, frames: list[bytes], rejected: dict[int, EnvelopeResult]) -> list[int]:
        return [
            place
            for place, framed in enumerate(frames)
            if place not in rejected and (unframe(framed).connection or "default") == connection
        ]

    def _rejected_connection(
        self, frames: list[bytes], rejected: dict[int, EnvelopeResult], connection: str, failure: Failure
    ) -> dict[int, EnvelopeResult]:
        return {
            place: _rejection(frames[place], "CONNECTION_NOT_ALLOWED", failure.details, "connection")
            for place in self._places_of(connection, frames, rejected)
        }

    def _pause_seconds(self, advice: Advice, failure: Failure, attempts: _Attempts) -> float:
        """Returns how long to wait before the request is repeated.

        Raises:
            PublishError: repeating does not help, or has lasted too long.
        """
        settings = self._settings
        error = self.last_failure or PublishError(failure.code.name, failure.code)
        attempts.failures += 1
        if attempts.failures == 1:
            attempts.first_at = failure.now
        # A request for no pause at all would repeat in a busy loop.
        pause_seconds = read_details(failure.trailers).retry_after_seconds or backoff_seconds(
            attempts.failures, settings.backoff_seconds, settings.backoff_seconds_max, failure.share
        )
        if advice is Advice.STOP:
            self._check_refusal(error, failure.now, attempts)
        else:
            attempts.refused_at = None
        bound = settings.repeat_seconds_max
        if bound is not None and failure.now - attempts.first_at + pause_seconds > bound:
            raise PublishError(f"gave up after {attempts.failures} calls: {error}", failure.code) from failure.error
        if advice is not Advice.STOP:
            level = logging.WARNING if attempts.failures == 1 else logging.DEBUG
            logger.log(level, "Publishing failed (%s), repeating in %.1f s", error, pause_seconds)
        return pause_seconds

    def _check_refusal(self, error: PublishError, now: float, attempts: _Attempts) -> None:
        """Raises, unless earlier calls succeeded: then a refusal may last 5 minutes, as during a rollout."""
        if attempts.refused_at is None:
            attempts.refused_at, attempts.warned_at = now, float("-inf")
        if not self._has_succeeded or now - attempts.refused_at >= REFUSED_SECONDS_MAX:
            raise PublishError(f"publishing was refused: {error}", error.code) from error.__cause__
        if now - attempts.warned_at >= REFUSED_WARNING_SECONDS:
            attempts.warned_at = now
            left_seconds = REFUSED_SECONDS_MAX - (now - attempts.refused_at)
            logger.warning("Publishing is refused, repeating for another %.0f s: %s", left_seconds, error)

    def _return_results(self, batch: Batch, frames: list[bytes], results: Sequence[EnvelopeResult]) -> None:
        first = batch.answered
        batch.answered += len(frames)
        for place in range(first, batch.answered) if batch.waiters else ():
            waiter = batch.waiters.pop(place, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(results[place - first])
        if self._on_results is not None:
            _call_back(self._on_results, results)
        rejected = [place for place, result in enumerate(results) if result.disposition == DISPOSITION_REJECTED]
        if rejected:
            self._report(frames, results, rejected)

    def _report(self, frames: list[bytes], results: Sequence[EnvelopeResult], rejected: list[int]) -> None:
        """Passes rejected envelopes to the callback, or logs their count if there is none."""
        if self._on_rejected is not None:
            for place in rejected:
                _call_back(self._on_rejected, unframe(frames[place]), results[place])
        elif self._on_results is None:
            reasons = sorted({violation.reason for place in rejected for violation in results[place].violations})
            logger.warning("%d of %d envelopes were rejected: %s", len(rejected), len(results), ", ".join(reasons))


def _call_back(callback: Callable[..., None], *arguments: object) -> None:
    """Calls a user's callback; logs its error, since it must not stop the delivery of other envelopes.

    A CancelledError is the callback's own, such as from a future that was cancelled: no delivery is cancelled here.
    """
    try:
        callback(*arguments)
    except (Exception, CancelledError):
        logger.exception("The callback %r raised; publishing goes on", callback)


def _fault(results: Sequence[EnvelopeResult], sent: Sequence[bytes]) -> str:
    """Returns what shows that results are not those of the envelopes in frames; empty: they are."""
    if len(results) != len(sent):
        return f"{len(results)} results for {len(sent)} envelopes"
    for result, framed in zip(results, sent, strict=True):
        expected = envelope_id(framed)
        if result.envelope_id != expected and not _is_shortened(result.envelope_id, expected):
            return f"the result of envelope {result.envelope_id!r:.60} in place of {expected!r:.60}"
        if result.disposition == DISPOSITION_UNSPECIFIED:
            return f"a result without a disposition for envelope {expected!r:.60}"
    return ""


def _is_shortened(returned: str, expected: str) -> bool:
    """Returns whether an id is the beginning of one above the limit, which the daemon rejects and returns shortened."""
    return expected.startswith(returned) and len(expected.encode()) > ENVELOPE_ID_BYTES_MAX


def _rejection(framed: bytes, reason: str, message: str, field: str = "") -> EnvelopeResult:
    return EnvelopeResult(
        envelope_id=unframe(framed).envelope_id,
        disposition=DISPOSITION_REJECTED,
        violations=[Violation(reason=reason, field=field, message=message)],
    )
