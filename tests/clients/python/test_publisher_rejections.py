"""The asyncio publisher divides refused requests and reports rejected envelopes."""

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from daemons.impostor import Impostor
from intercomd import BlockingPublisher, Envelope, EnvelopeResult, Identity, Publisher, PublisherSettings
from senders.publishing import ACCEPTED, CODE, REJECTED, event, names, numbered, publish_all, status_details

if TYPE_CHECKING:
    from conftest import Daemon


async def test_undecodable_envelope_is_rejected_alone(daemon: "Daemon") -> None:
    rejected: list[tuple[Envelope, EnvelopeResult]] = []
    results: list[EnvelopeResult] = []
    publisher = Publisher(
        daemon.target,
        on_results=results.extend,
        on_rejected=lambda *envelope_and_result: rejected.append(envelope_and_result),
    )
    async with publisher:
        await publish_all(publisher, [*numbered(20), event("undecodable"), *numbered(20)])
    assert daemon.names == names([*numbered(20), *numbered(20)])
    ((envelope, result),) = rejected
    assert envelope.custom_event.name == "undecodable"
    assert envelope.envelope_id == result.envelope_id == results[20].envelope_id
    assert [violation.reason for violation in result.violations] == ["INVALID_ARGUMENT"]
    assert [result.disposition for result in results] == [ACCEPTED] * 20 + [REJECTED] + [ACCEPTED] * 20
    requests = [request.SerializeToString() for request in daemon.requests]
    assert len(set(requests)) == len(requests)  # no refused request was repeated


async def test_batches_shrink_to_what_the_daemon_accepts(daemon: "Daemon") -> None:
    daemon.envelopes_max = 100
    async with Publisher(daemon.target, settings=PublisherSettings(batch_envelopes_max=500)) as publisher:
        await publish_all(publisher, numbered(1000))
    assert daemon.names == names(numbered(1000))
    assert [len(request.envelopes) for request in daemon.requests[:4]] == [500, 250, 125, 63]
    assert max(len(request.envelopes) for request in daemon.requests[3:]) == 63


async def test_request_over_the_servers_limit_is_divided(daemon: "Daemon") -> None:
    daemon.refuse_next(CODE.RESOURCE_EXHAUSTED)
    async with Publisher(daemon.target) as publisher:
        await publish_all(publisher, [event("x" * 100_000), event("y" * 100_000)])
    assert [len(request.envelopes) for request in daemon.requests] == [2, 1, 1]
    assert len(daemon.accepted) == 2


@pytest.mark.parametrize("name", ["on_results", "on_rejected"])
async def test_callback_that_raises_is_logged_and_publishing_goes_on(
    daemon: "Daemon", caplog: pytest.LogCaptureFixture, name: str
) -> None:
    def callback(*_arguments: object) -> None:
        raise LookupError("the caller's own mistake")

    async with Publisher(daemon.target, **{name: callback}) as publisher:
        await publisher.publish_and_wait(Envelope())
        await publisher.publish_and_wait(event("second"))
    assert daemon.names == ["second"]
    assert "the caller's own mistake" in caplog.text
    assert publisher.unanswered == []


@pytest.mark.parametrize("publisher_class", [Publisher, BlockingPublisher])
@pytest.mark.parametrize("name", ["on_results", "on_rejected"])
async def test_coroutine_function_as_callback_is_an_error(
    publisher_class: type[Publisher | BlockingPublisher], name: str
) -> None:
    async def callback(*_arguments: object) -> None: ...

    with pytest.raises(TypeError, match=f"{name} must be a plain function"):
        publisher_class(**{name: callback})


async def test_cancelled_error_of_a_callback_is_logged(daemon: "Daemon", caplog: pytest.LogCaptureFixture) -> None:
    def callback(_results: object) -> None:
        raise asyncio.CancelledError("a future of the caller")

    async with Publisher(daemon.target, on_results=callback) as publisher:
        for name in ("first", "second"):
            await publisher.publish_and_wait(event(name))
    assert caplog.text.count("raised; publishing goes on") == 2


def test_callback_that_ends_the_loop_stops_the_publisher() -> None:
    """SystemExit in a callback ends the process as elsewhere, and `close` returns at once."""
    server = Impostor(["accepted"])
    stopped: list[str] = []

    def end(_results: object) -> None:
        raise SystemExit(3)

    async def publish() -> None:
        async with server:
            publisher = Publisher(server.address, on_results=end)
            try:
                await publisher.publish(event("first"))
                await publisher.flush()
            finally:
                assert await publisher.close() == []
                stopped.append(str(publisher.failure))

    with pytest.raises(SystemExit):
        asyncio.run(publish())
    assert stopped == ["the publisher stopped: SystemExit(3)"]


async def test_forbidden_connection_rejects_its_own_envelopes_alone(daemon: "Daemon") -> None:
    info = ErrorInfo(reason="CONNECTION_NOT_ALLOWED", metadata={"connection": "other"})
    daemon.refuse_next(CODE.PERMISSION_DENIED, status_details(info))
    results: list[EnvelopeResult] = []
    mixed = [event("a"), Envelope(connection="other", identity=Identity(customer_id="1")), event("b")]
    async with Publisher(daemon.target, on_results=results.extend) as publisher:
        await publish_all(publisher, mixed)
    assert daemon.names == ["a", "b"]
    assert [result.disposition for result in results] == [ACCEPTED, REJECTED, ACCEPTED]
    assert results[1].violations[0].reason == "CONNECTION_NOT_ALLOWED"


async def test_rejected_envelopes_are_logged_without_a_callback(
    daemon: "Daemon", caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "intercomd"):
        async with Publisher(daemon.target) as publisher:
            await publish_all(publisher, [Envelope(), *numbered(2)])
    # asyncio logs slow callbacks too.
    messages = [record.getMessage() for record in caplog.records if record.name == "intercomd"]
    assert messages == ["1 of 3 envelopes were rejected: IDENTITY_REQUIRED"]
