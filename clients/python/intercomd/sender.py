"""Carries one batch to the daemon until every frame of it has its result: repeats, waits, divides, gives up."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

import grpc

from intercomd.buffer import Batch
from intercomd.errors import PublishError
from intercomd.framing import unframe
from intercomd.retry import Advice, advise, backoff_seconds, retry_after_seconds
from intercomd.settings import PublisherSettings
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import (
    DISPOSITION_REJECTED,
    EnvelopeResult,
    PublishRequest,
    PublishResponse,
    Violation,
)

ResultsCallback = Callable[[Sequence[EnvelopeResult]], None]
RejectedCallback = Callable[[Envelope, EnvelopeResult], None]
PublishCall = grpc.aio.UnaryUnaryMultiCallable[bytes, PublishResponse]
Metadata = Sequence[tuple[str, str]]

logger = logging.getLogger(__name__)


class Sender:
    """The calls of a publisher. Batches may be sent at the same time, each by a task of its own."""

    def __init__(
        self,
        call: PublishCall,
        settings: PublisherSettings,
        metadata: Metadata,
        on_results: ResultsCallback | None,
        on_rejected: RejectedCallback | None,
    ) -> None:
        self._call = call
        self._settings = settings
        self._metadata = tuple(metadata)
        self._on_results = on_results
        self._on_rejected = on_rejected
        # What is joined to the frames: the other fields of the request.
        self._request_end = PublishRequest(validate_only=settings.validate_only).SerializeToString()
        # As many envelopes as the daemon is known to take: halved when it refuses a call as a whole.
        self._call_envelopes_max = settings.batch_envelopes_max

    async def send(self, batch: Batch) -> None:
        """Returns when every frame has its result.

        Raises:
            PublishError: the daemon does not take the batch, and repeating does not help.
        """
        while batch.answered < len(batch.frames):
            frames = batch.frames[batch.answered : batch.answered + self._call_envelopes_max]
            results = await self._results(frames)
            if results:
                self._hand_back(batch, frames, results)

    async def _results(self, frames: list[bytes]) -> Sequence[EnvelopeResult]:
        """One result for each frame; none where they must be sent in smaller requests."""
        request = b"".join((*frames, self._request_end))
        loop = asyncio.get_running_loop()
        started, failures = loop.time(), 0
        while True:
            try:
                response = await self._call(request, timeout=self._settings.call_seconds, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                failures += 1
                pause_seconds = self._pause_seconds(error, failures, len(request), loop.time() - started)
                if pause_seconds is None:
                    return self._divide(frames, error)
                await asyncio.sleep(pause_seconds)
            else:
                if len(response.results) != len(frames):
                    raise PublishError(f"{len(response.results)} results for {len(frames)} envelopes: no intercomd")
                if failures:
                    logger.info("Publishing goes on after %d failed calls", failures)
                return response.results

    def _pause_seconds(
        self, error: grpc.aio.AioRpcError, failures: int, request_bytes: int, elapsed_seconds: float
    ) -> float | None:
        """How long to wait before the request is repeated; None: it must not be."""
        settings = self._settings
        after_seconds = retry_after_seconds(error.trailing_metadata())
        advice = advise(error.code(), after_seconds, request_bytes)
        if advice is Advice.DIVIDE:
            return None
        if advice is Advice.STOP:
            raise PublishError(f"publishing was refused: {describe(error)}", error.code()) from error
        if after_seconds is None:
            share = random.random()  # noqa: S311 - it spreads load, it guards nothing
            after_seconds = backoff_seconds(failures, settings.backoff_seconds, settings.backoff_seconds_max, share)
        bound = settings.repeat_seconds_max
        if bound is not None and elapsed_seconds + after_seconds > bound:
            raise PublishError(f"gave up after {failures} calls: {describe(error)}", error.code()) from error
        level = logging.WARNING if failures == 1 else logging.DEBUG
        logger.log(level, "Publishing failed (%s), repeating in %.1f s", describe(error), after_seconds)
        return after_seconds

    def _divide(self, frames: list[bytes], error: grpc.aio.AioRpcError) -> list[EnvelopeResult]:
        """Halves what the next calls hold. A single envelope that is refused is rejected, and the halving ends."""
        if len(frames) > 1:
            self._call_envelopes_max = (len(frames) + 1) // 2
            return []
        self._call_envelopes_max = self._settings.batch_envelopes_max
        violation = Violation(reason=error.code().name, message=error.details() or "")
        envelope_id = unframe(frames[0]).envelope_id
        return [EnvelopeResult(envelope_id=envelope_id, disposition=DISPOSITION_REJECTED, violations=[violation])]

    def _hand_back(self, batch: Batch, frames: list[bytes], results: Sequence[EnvelopeResult]) -> None:
        first = batch.answered
        batch.answered += len(frames)
        for place in range(first, batch.answered) if batch.waiters else ():
            waiter = batch.waiters.pop(place, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(results[place - first])
        if self._on_results is not None:
            self._on_results(results)
        rejected = [place for place, result in enumerate(results) if result.disposition == DISPOSITION_REJECTED]
        if rejected:
            self._report(frames, results, rejected)

    def _report(self, frames: list[bytes], results: Sequence[EnvelopeResult], rejected: list[int]) -> None:
        """Rejected envelopes go to the callback; without one, to the log."""
        if self._on_rejected is not None:
            for place in rejected:
                self._on_rejected(unframe(frames[place]), results[place])
        elif self._on_results is None:
            reasons = sorted({violation.reason for place in rejected for violation in results[place].violations})
            logger.warning("%d of %d envelopes were rejected: %s", len(rejected), len(results), ", ".join(reasons))


def describe(error: grpc.aio.AioRpcError) -> str:
    """The status for a person, in one line."""
    return f"{error.code().name}: {error.details()}" if error.details() else error.code().name
