"""A delivery repeats, pauses and gives up by the times that it is given: no clock, no call."""

import logging

import grpc
import pytest

from intercomd import Disposition, Envelope, EnvelopeResult, Identity, PublishError, PublisherSettings
from intercomd.buffer import Batch
from intercomd.delivery import REFUSED_SECONDS_MAX, REFUSED_WARNING_SECONDS, Call, Delivery, Failure, Pause, Response
from intercomd.framing import frame
from intercomd.v1.ingest_pb2 import PublishResponse

CODE = grpc.StatusCode
REFUSALS = [CODE.PERMISSION_DENIED, CODE.UNAUTHENTICATED, CODE.UNIMPLEMENTED, CODE.FAILED_PRECONDITION]
ACCEPTED = Response(
    PublishResponse(results=[EnvelopeResult(envelope_id="a", disposition=Disposition.DISPOSITION_ACCEPTED)])
)
FIRST_REFUSAL = 1000.0


class Deliveries:
    """A publisher's deliveries of single envelopes; failures come at the times that a test gives."""

    def __init__(self, *, has_succeeded: bool, settings: PublisherSettings | None = None) -> None:
        self._delivery = Delivery("target:1", settings or PublisherSettings(), None, None)
        self.begin()
        if has_succeeded:
            self.succeed()
            self.begin()

    def begin(self) -> None:
        """Starts the delivery of the next batch."""
        batch = Batch(due_at=0.0, frames=[frame(Envelope(envelope_id="a", identity=Identity(customer_id="42")))])
        self._steps = self._delivery.deliver(batch)
        assert isinstance(next(self._steps), Call)

    def fail(self, code: grpc.StatusCode, now: float, trailers: tuple[tuple[str, str], ...] = ()) -> float:
        """Lets the open call fail; the delivery pauses for the returned seconds and makes the next call, or raises."""
        pause = self._steps.send(Failure(code, "no", trailers, grpc.RpcError(), now, share=1.0))
        assert isinstance(pause, Pause)
        assert isinstance(next(self._steps), Call)
        return pause.seconds

    def succeed(self) -> None:
        """Answers the open call, which ends the delivery."""
        with pytest.raises(StopIteration):
            self._steps.send(ACCEPTED)


@pytest.mark.parametrize("code", REFUSALS)
def test_refusal_before_the_first_success_stops_at_once(code: grpc.StatusCode) -> None:
    with pytest.raises(PublishError, match="publishing was refused") as stopped:
        Deliveries(has_succeeded=False).fail(code, FIRST_REFUSAL)
    assert stopped.value.code is code


@pytest.mark.parametrize("code", REFUSALS)
def test_refusal_after_a_success_is_repeated_for_five_minutes(code: grpc.StatusCode) -> None:
    deliveries = Deliveries(has_succeeded=True)
    for seconds in (0.0, 1.0, 60.0, 299.9):
        deliveries.fail(code, FIRST_REFUSAL + seconds)
    with pytest.raises(PublishError, match="publishing was refused") as stopped:
        deliveries.fail(code, FIRST_REFUSAL + 300.0)
    assert stopped.value.code is code
    assert REFUSED_SECONDS_MAX == 300.0


def test_five_minutes_count_from_the_first_refusal_of_any_code() -> None:
    deliveries = Deliveries(has_succeeded=True)
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL)
    deliveries.fail(CODE.PERMISSION_DENIED, FIRST_REFUSAL + 200.0)
    with pytest.raises(PublishError):
        deliveries.fail(CODE.UNIMPLEMENTED, FIRST_REFUSAL + 300.0)


@pytest.mark.parametrize("code", [CODE.UNAVAILABLE, CODE.DEADLINE_EXCEEDED, CODE.RESOURCE_EXHAUSTED])
def test_another_failure_restarts_the_five_minutes(code: grpc.StatusCode) -> None:
    """The daemon no longer refuses, so the next refusal is a new one. A single envelope is not divided."""
    deliveries = Deliveries(has_succeeded=True)
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL)
    deliveries.fail(code, FIRST_REFUSAL + 299.0)
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 301.0)
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 600.0)
    with pytest.raises(PublishError):
        deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 601.0)


def test_success_restarts_the_five_minutes() -> None:
    deliveries = Deliveries(has_succeeded=True)
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL)
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 299.0)
    deliveries.succeed()
    deliveries.begin()
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 400.0)
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 699.0)
    with pytest.raises(PublishError):
        deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 700.0)


def test_repeated_refusal_is_logged_once_a_minute_with_the_time_left(caplog: pytest.LogCaptureFixture) -> None:
    deliveries = Deliveries(has_succeeded=True)
    with caplog.at_level(logging.WARNING, "intercomd"):
        for seconds in range(300):
            deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + seconds)
    assert REFUSED_WARNING_SECONDS == 60.0
    messages = [record.getMessage() for record in caplog.records]
    assert [message.split(" s: ")[0].rpartition(" ")[2] for message in messages] == ["300", "240", "180", "120", "60"]


@pytest.mark.parametrize("code", [CODE.UNAVAILABLE, CODE.RESOURCE_EXHAUSTED])
def test_request_for_no_pause_gets_the_backoff(code: grpc.StatusCode) -> None:
    """Otherwise the publisher would repeat in a busy loop."""
    assert Deliveries(has_succeeded=True).fail(code, 0.0, (("grpc-retry-pushback-ms", "0"),)) == 0.2


def test_bound_on_repeating_ends_a_refusal_earlier() -> None:
    deliveries = Deliveries(has_succeeded=True, settings=PublisherSettings(repeat_seconds_max=30.0))
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL)
    deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 20.0)
    with pytest.raises(PublishError, match="gave up after 3 calls"):
        deliveries.fail(CODE.UNAUTHENTICATED, FIRST_REFUSAL + 31.0)
