"""The asyncio publisher repeats transient failures and stops at permanent ones."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from daemons.impostor import Impostor
from forwarding.garbled import GarbledServer
from intercomd import BlockingPublisher, Disposition, Envelope, Publisher, PublishError, PublisherSettings
from senders.publishing import ACCEPTED, CODE, PUSHBACK, event, names, numbered, publish_all, status_details

if TYPE_CHECKING:
    from conftest import Daemon, RunningDaemon


async def test_refusal_with_pushback_is_retried_with_the_same_ids(daemon: "Daemon", quick: PublisherSettings) -> None:
    daemon.refuse_next(CODE.UNAVAILABLE, PUSHBACK)
    daemon.refuse_next(CODE.UNAVAILABLE, PUSHBACK)
    async with Publisher(daemon.target, settings=quick) as publisher:
        await publish_all(publisher, numbered(3))
    assert daemon.requests[0] == daemon.requests[1] == daemon.requests[2]
    assert len(daemon.requests) == 3  # gRPC itself has repeated nothing
    assert daemon.names == names(numbered(3))


@pytest.mark.parametrize(
    ("code", "trailers"),
    [
        (CODE.UNAVAILABLE, ()),
        (CODE.DEADLINE_EXCEEDED, ()),
        (CODE.CANCELLED, ()),
        (CODE.INTERNAL, ()),
        (CODE.UNKNOWN, ()),
        (CODE.RESOURCE_EXHAUSTED, PUSHBACK),
        (CODE.RESOURCE_EXHAUSTED, status_details(RetryInfo(retry_delay=Duration(nanos=5_000_000)))),
    ],
)
async def test_transient_status_is_retried(
    daemon: "Daemon", quick: PublisherSettings, code: grpc.StatusCode, trailers: tuple[tuple[str, str | bytes], ...]
) -> None:
    daemon.refuse_next(code, trailers)
    async with Publisher(daemon.target, settings=quick) as publisher:
        result = await publisher.publish_and_wait(event("once"))
    assert result.disposition == ACCEPTED
    assert daemon.requests == [daemon.requests[0]] * 2


async def test_response_that_cannot_be_decoded_is_a_failed_call(quick: PublisherSettings) -> None:
    """The publisher repeats it; it does not stop."""
    async with GarbledServer() as server:
        publisher = Publisher(server.address, settings=quick)
        await publisher.publish(event("once"))
        await server.until_called(3)
        unanswered = await publisher.close(timeout_seconds=0)
    assert [each.custom_event.name for each in unanswered] == ["once"]


async def test_response_that_cannot_be_decoded_is_a_failed_call_on_threads(quick: PublisherSettings) -> None:
    async with GarbledServer() as server:
        publisher = BlockingPublisher(server.address, settings=quick)
        await asyncio.to_thread(publisher.publish, event("once"))
        await server.until_called(3)
        unanswered = await asyncio.to_thread(publisher.close, 0)
    assert [each.custom_event.name for each in unanswered] == ["once"]


@pytest.mark.parametrize(
    "answer",
    [
        "no message",
        "trailers only",
        "a status that gRPC does not have",
        "a status that is no number",
        "details that are no base64",
        "a page 502",
        "a page 200",
        "RST_STREAM",
        "GOAWAY",
    ],
)
async def test_call_without_a_response_is_repeated(answer: str, quick: PublisherSettings) -> None:
    async with Impostor([answer, "accepted"]) as server, Publisher(server.address, settings=quick) as publisher:
        assert (await publisher.publish_and_wait(event("once"))).disposition == ACCEPTED
    assert len(server.calls) == 2
    async with Impostor([answer, "accepted"]) as server:
        with BlockingPublisher(server.address, settings=quick) as blocking:
            result = await asyncio.to_thread(blocking.publish_and_wait, event("once"))
    assert result.disposition == ACCEPTED


@pytest.mark.parametrize("publisher_class", [Publisher, BlockingPublisher])
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("a result less", "0 results for 1 envelopes"),
        ("a result more", "2 results for 1 envelopes"),
        ("other ids", "the result of envelope 'other-a' in place of 'a'"),
        ("no disposition", "a result without a disposition for envelope 'a'"),
    ],
)
async def test_results_of_other_envelopes_stop_the_publisher(
    answer: str, fault: str, publisher_class: type[Publisher | BlockingPublisher]
) -> None:
    """They must not count as results: the envelopes would be lost without a word."""
    async with Impostor([answer]) as server:
        publisher = publisher_class(server.address)
        with pytest.raises(PublishError, match=f"{fault}.*is not intercomd"):
            await _awaited(publisher.publish_and_wait, Envelope(envelope_id="a"))
        assert [each.envelope_id for each in await _awaited(publisher.close)] == ["a"]


@pytest.mark.parametrize("length", [129, 134, 1_000])
@pytest.mark.parametrize("character", ["i", "é", "🎉"])
async def test_envelope_with_too_long_an_id_is_rejected_alone(
    running: "RunningDaemon", length: int, character: str
) -> None:
    """The daemon does not return such an id whole."""
    async with Publisher(running.target) as publisher:
        result = await publisher.publish_and_wait(Envelope(envelope_id=character * length))
        assert [each.reason for each in result.violations][:1] == ["ENVELOPE_ID_TOO_LONG"]
        assert (await publisher.publish_and_wait(event("next"))).disposition == ACCEPTED


async def test_disposition_of_a_later_daemon_is_a_result() -> None:
    async with Impostor(["a later disposition"]) as server, Publisher(server.address) as publisher:
        assert (await publisher.publish_and_wait(Envelope())).disposition == 99


async def _awaited(method: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - any of the publishers' methods
    if asyncio.iscoroutinefunction(method):
        return await method(*arguments)
    return await asyncio.to_thread(method, *arguments)


async def test_retry_after_a_lost_response_returns_duplicate(daemon: "Daemon", quick: PublisherSettings) -> None:
    daemon.refuse_next(CODE.UNAVAILABLE, after_taking=True)
    async with Publisher(daemon.target, settings=quick) as publisher:
        result = await publisher.publish_and_wait(event("once"))
    assert result.disposition == Disposition.DISPOSITION_DUPLICATE
    assert daemon.names == ["once"]


async def test_slow_call_is_retried(daemon: "Daemon", quick: PublisherSettings) -> None:
    daemon.answering.clear()
    async with Publisher(daemon.target, settings=replace(quick, call_seconds=0.05)) as publisher:
        await publisher.publish(event("once"))
        await daemon.arrivals.get()
        await daemon.arrivals.get()
        daemon.answering.set()
    assert daemon.names == ["once"]


async def test_cut_connection_loses_nothing(daemon: "Daemon", quick: PublisherSettings) -> None:
    daemon.answering.clear()
    async with Publisher(daemon.target, settings=replace(quick, batch_envelopes_max=10)) as publisher:
        await publish_all(publisher, numbered(25))
        await daemon.arrivals.get()
        await daemon.stop()
        daemon.answering.set()
        await daemon.start()
        await publisher.flush()
    assert daemon.names == names(numbered(25))


@pytest.mark.parametrize("code", [CODE.PERMISSION_DENIED, CODE.UNAUTHENTICATED, CODE.UNIMPLEMENTED])
async def test_permanent_status_stops_the_publisher(daemon: "Daemon", code: grpc.StatusCode) -> None:
    daemon.refuse_next(code)
    publisher = Publisher(daemon.target)
    with pytest.raises(PublishError) as stopped:
        await publisher.publish_and_wait(event("first"))
    assert stopped.value.code is code
    with pytest.raises(PublishError, match=code.name):
        await publisher.publish(event("second"))
    with pytest.raises(PublishError, match=code.name):
        await publisher.flush()
    left = await publisher.close()
    assert names(left) == ["first"]
    assert [envelope.envelope_id for envelope in left] == [daemon.requests[0].envelopes[0].envelope_id]


async def test_stop_ends_the_waits_for_room(daemon: "Daemon") -> None:
    daemon.answering.clear()
    daemon.refuse_next(CODE.PERMISSION_DENIED)
    publisher = Publisher(daemon.target, settings=PublisherSettings(buffer_bytes_max=1))
    publishing = asyncio.create_task(publish_all(publisher, numbered(2)))
    await daemon.arrivals.get()
    daemon.answering.set()
    with pytest.raises(PublishError, match="PERMISSION_DENIED"):
        await publishing
    await publisher.close()


@pytest.mark.fills("PublisherSettings.repeat_seconds_max")
async def test_retries_end_at_their_bound(daemon: "Daemon", quick: PublisherSettings) -> None:
    daemon.refuse_next(CODE.UNAVAILABLE, PUSHBACK)
    publisher = Publisher(daemon.target, settings=replace(quick, repeat_seconds_max=0.001))
    with pytest.raises(PublishError, match="gave up after 1 call") as stopped:
        await publisher.publish_and_wait(event("first"))
    assert stopped.value.code is CODE.UNAVAILABLE
    assert names(await publisher.close()) == ["first"]


async def test_malformed_response_stops_the_publisher(daemon: "Daemon") -> None:
    daemon.results_left_out = 1
    publisher = Publisher(daemon.target)
    with pytest.raises(PublishError, match="0 results for 1 envelope"):
        await publisher.publish_and_wait(event("first"))
    await publisher.close()


@pytest.mark.parametrize("code", [CODE.PERMISSION_DENIED, CODE.UNAUTHENTICATED, CODE.UNIMPLEMENTED])
async def test_refusal_after_the_first_success_is_repeated(
    daemon: "Daemon", quick: PublisherSettings, caplog: pytest.LogCaptureFixture, code: grpc.StatusCode
) -> None:
    async with Publisher(daemon.target, settings=quick) as publisher:
        await publisher.publish_and_wait(event("first"))
        daemon.refuse_next(code)
        daemon.refuse_next(code)
        await publisher.publish_and_wait(event("second"))
    assert daemon.names == ["first", "second"]
    assert caplog.text.count("Publishing is refused") == 1


async def test_single_envelope_whose_resources_are_exhausted_is_repeated(
    daemon: "Daemon", quick: PublisherSettings
) -> None:
    daemon.refuse_next(CODE.RESOURCE_EXHAUSTED)
    async with Publisher(daemon.target, settings=quick) as publisher:
        result = await publisher.publish_and_wait(event("once"))
    assert result.disposition == ACCEPTED
