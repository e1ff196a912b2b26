"""The publisher for threads behaves as the asyncio publisher, without an event loop."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import pytest

from intercomd import (
    BlockingPublisher,
    CustomEvent,
    Disposition,
    Envelope,
    EnvelopeResult,
    Identity,
    PublishError,
    PublisherSettings,
)

if TYPE_CHECKING:
    from conftest import Daemon

ACCEPTED = Disposition.DISPOSITION_ACCEPTED


def event(name: str) -> Envelope:
    return Envelope(identity=Identity(customer_id="42"), custom_event=CustomEvent(name=name))


async def test_leaving_the_block_waits_for_the_envelopes_in_order(daemon: "Daemon") -> None:
    def publish() -> None:
        with BlockingPublisher(daemon.target) as publisher:
            for number in range(1200):
                publisher.publish(event(f"event-{number}"))

    await asyncio.to_thread(publish)
    assert daemon.names == [f"event-{number}" for number in range(1200)]


async def test_threads_keep_their_order_and_get_their_own_results(daemon: "Daemon") -> None:
    def publish(publisher: BlockingPublisher, thread: int) -> list[EnvelopeResult]:
        for number in range(100):
            publisher.publish(event(f"{thread}-{number}"))
        return [publisher.publish_and_wait(event(f"{thread}-100")), publisher.publish_and_wait(Envelope())]

    def publish_from_threads() -> list[list[EnvelopeResult]]:
        with BlockingPublisher(daemon.target) as publisher, ThreadPoolExecutor(4) as threads:
            return list(threads.map(lambda thread: publish(publisher, thread), range(4)))

    for results in await asyncio.to_thread(publish_from_threads):
        assert [result.disposition for result in results] == [ACCEPTED, Disposition.DISPOSITION_REJECTED]
    for thread in range(4):
        of_thread = [name for name in daemon.names if name.startswith(f"{thread}-")]
        assert of_thread == [f"{thread}-{number}" for number in range(101)]


async def test_publish_blocks_while_the_buffer_is_full(daemon: "Daemon") -> None:
    daemon.answering.clear()
    published = threading.Semaphore(0)

    def publish() -> None:
        settings = PublisherSettings(buffer_bytes_max=1, batch_bytes_max=1)
        with BlockingPublisher(daemon.target, settings=settings) as publisher:
            for number in range(20):
                publisher.publish(event(f"event-{number}"))
                published.release()

    publishing = asyncio.create_task(asyncio.to_thread(publish))
    await daemon.arrivals.get()
    # One is in flight; the second has no room.
    await asyncio.to_thread(published.acquire)
    assert not published.acquire(blocking=False)
    daemon.answering.set()
    await publishing
    assert daemon.names == [f"event-{number}" for number in range(20)]


async def test_flush_waits_for_all_results_and_raises_on_timeout(daemon: "Daemon") -> None:
    daemon.answering.clear()
    settings = PublisherSettings(linger_seconds=3600)
    publisher = BlockingPublisher(daemon.target, settings=settings)
    await asyncio.to_thread(lambda: [publisher.publish(event(f"event-{number}")) for number in range(3)])
    with pytest.raises(TimeoutError, match=r"^no result after 0\.01 s"):
        await asyncio.to_thread(publisher.flush, 0.01)
    daemon.answering.set()
    await asyncio.to_thread(publisher.flush)
    assert daemon.names == ["event-0", "event-1", "event-2"]
    assert await asyncio.to_thread(publisher.close) == []
    assert await asyncio.to_thread(publisher.close) == []
    with pytest.raises(PublishError, match="closed"):
        publisher.flush()
    with pytest.raises(PublishError, match="closed"):
        publisher.publish(event("late"))


async def test_result_timeout_raises_and_the_envelope_is_still_sent(daemon: "Daemon") -> None:
    daemon.answering.clear()
    publisher = BlockingPublisher(daemon.target)
    with pytest.raises(TimeoutError, match=r"^no result after 0\.01 s, and the publisher goes on sending$"):
        await asyncio.to_thread(publisher.publish_and_wait, event("slow"), 0.01)
    daemon.answering.set()
    assert await asyncio.to_thread(publisher.close) == []
    assert daemon.names == ["slow"]


async def test_close_returns_the_envelopes_without_a_response(daemon: "Daemon") -> None:
    daemon.answering.clear()
    publisher = BlockingPublisher(daemon.target, settings=PublisherSettings(batch_envelopes_max=2))
    await asyncio.to_thread(lambda: [publisher.publish(event(f"event-{number}")) for number in range(4)])
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(publisher.publish_and_wait, event("last"), 0.01)
    left = await asyncio.to_thread(publisher.close, 0.01)
    assert [envelope.custom_event.name for envelope in left] == ["event-0", "event-1", "event-2", "event-3", "last"]


async def test_close_ends_the_waits_for_results(daemon: "Daemon") -> None:
    daemon.answering.clear()
    publisher = BlockingPublisher(daemon.target, settings=PublisherSettings(batch_envelopes_max=2))
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(publisher.publish_and_wait, event(f"event-{number}")) for number in range(2)]
        await daemon.arrivals.get()
        await asyncio.to_thread(publisher.close, 0.01)
    for result in waiting:
        with pytest.raises(PublishError, match="closed"):
            result.result()


async def test_permanent_status_reaches_every_thread(daemon: "Daemon") -> None:
    daemon.refuse_next(grpc.StatusCode.PERMISSION_DENIED)
    publisher = BlockingPublisher(daemon.target)
    with pytest.raises(PublishError, match="PERMISSION_DENIED"):
        await asyncio.to_thread(publisher.publish_and_wait, event("first"))
    with pytest.raises(PublishError, match="PERMISSION_DENIED"):
        await asyncio.to_thread(publisher.publish_and_wait, event("second"))
    with pytest.raises(PublishError, match="PERMISSION_DENIED"):
        await asyncio.to_thread(publisher.publish, event("third"))
    left = await asyncio.to_thread(publisher.close)
    assert [envelope.custom_event.name for envelope in left] == ["first"]  # the second was not taken


async def test_callbacks_run_on_the_publishers_own_thread(daemon: "Daemon") -> None:
    threads: list[str] = []

    def publish() -> None:
        with BlockingPublisher(
            daemon.target,
            on_results=lambda _results: threads.append(threading.current_thread().name),
            on_rejected=lambda _envelope, _result: threads.append(threading.current_thread().name),
        ) as publisher:
            publisher.publish(Envelope())

    await asyncio.to_thread(publish)
    assert threads == ["intercomd-publisher"] * 2


async def test_callback_may_publish_but_not_wait(daemon: "Daemon") -> None:
    refused: list[str] = []

    def try_to_wait(results: Sequence[EnvelopeResult]) -> None:
        if results[0].envelope_id != "first":
            return
        publisher.publish(event("second"))
        waits: tuple[Callable[[], object], ...] = (
            publisher.flush,
            publisher.close,
            lambda: publisher.publish_and_wait(event("third")),
            lambda: publisher.publish(event("x" * 200)),
        )
        for wait in waits:
            with pytest.raises(RuntimeError, match="use another thread") as error:
                wait()
            refused.append(str(error.value).partition(" waits")[0])

    settings = PublisherSettings(buffer_bytes_max=200)
    publisher = BlockingPublisher(daemon.target, settings=settings, on_results=try_to_wait)
    first = event("first")
    first.envelope_id = "first"
    await asyncio.to_thread(publisher.publish, first)
    await asyncio.to_thread(publisher.flush)
    assert await asyncio.to_thread(publisher.close) == []
    assert refused == ["flush", "close", "publish_and_wait", "publish with a full buffer"]
    assert daemon.names == ["first", "second"]


async def test_close_does_not_wait_for_a_callback_that_never_returns(
    daemon: "Daemon", caplog: pytest.LogCaptureFixture
) -> None:
    running, returning = threading.Event(), threading.Event()

    def on_results(_results: Sequence[EnvelopeResult]) -> None:
        running.set()
        returning.wait()

    settings = PublisherSettings(batch_envelopes_max=1)
    publisher = BlockingPublisher(daemon.target, settings=settings, on_results=on_results)
    for name in ("first", "second"):
        await asyncio.to_thread(publisher.publish, event(name))
    await asyncio.to_thread(running.wait)
    left = await asyncio.to_thread(publisher.close, 0)
    returning.set()
    assert [envelope.custom_event.name for envelope in left] == ["second"]
    assert "a callback that still runs" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
async def test_callback_that_ends_its_thread_stops_the_publisher(daemon: "Daemon", error: BaseException) -> None:
    def end(_results: Sequence[EnvelopeResult]) -> None:
        raise error

    publisher = BlockingPublisher(daemon.target, on_results=end)
    await asyncio.to_thread(publisher.publish, event("first"))
    with pytest.raises(PublishError, match=f"the publisher stopped: {type(error).__name__}"):
        await asyncio.to_thread(publisher.flush)
    with pytest.raises(PublishError, match="the publisher stopped"):
        await asyncio.to_thread(publisher.publish_and_wait, event("second"))
    assert await asyncio.to_thread(publisher.close) == []


async def test_leaving_the_block_raises_for_unsent_envelopes(daemon: "Daemon") -> None:
    daemon.refuse_next(grpc.StatusCode.UNAUTHENTICATED)

    def publish() -> None:
        with BlockingPublisher(daemon.target) as publisher:
            publisher.publish(event("first"))

    with pytest.raises(PublishError, match=r"1 envelopes were not answered: .*UNAUTHENTICATED"):
        await asyncio.to_thread(publish)
