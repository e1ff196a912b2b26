"""The asyncio publisher against a server that answers as the contract says."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd import (
    CustomEvent,
    Disposition,
    Envelope,
    EnvelopeResult,
    Identity,
    Publisher,
    PublishError,
    PublisherSettings,
)

if TYPE_CHECKING:
    from conftest import Daemon

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
REJECTED = Disposition.DISPOSITION_REJECTED
CODE = grpc.StatusCode
PUSHBACK = (("grpc-retry-pushback-ms", "5"),)


def event(name: str) -> Envelope:
    return Envelope(identity=Identity(customer_id="42"), custom_event=CustomEvent(name=name))


def numbered(count: int) -> list[Envelope]:
    return [event(f"event-{number}") for number in range(count)]


def names(envelopes: Sequence[Envelope]) -> list[str]:
    return [envelope.custom_event.name for envelope in envelopes]


def packed(*details: Message) -> bytes:
    status = Status(code=8)
    for detail in details:
        status.details.add().Pack(detail)
    return status.SerializeToString()


def retry_info() -> tuple[tuple[str, bytes]]:
    detail = Any()
    detail.Pack(RetryInfo(retry_delay=Duration(nanos=5_000_000)))
    return (("grpc-status-details-bin", Status(code=8, details=[detail]).SerializeToString()),)


async def publish_all(publisher: Publisher, envelopes: Sequence[Envelope]) -> None:
    for envelope in envelopes:
        await publisher.publish(envelope)


@pytest.mark.fills("PublisherSettings.batch_envelopes_max")
async def test_envelopes_are_sent_in_order_in_batches_of_at_most_200(daemon: "Daemon") -> None:
    async with Publisher(daemon.target) as publisher:
        await publish_all(publisher, numbered(1200))
    assert daemon.names == names(numbered(1200))
    assert max(len(request.envelopes) for request in daemon.requests) == 200


@pytest.mark.fills("PublisherSettings.batch_bytes_max")
async def test_request_stays_within_its_bound_in_bytes(daemon: "Daemon") -> None:
    async with Publisher(daemon.target, settings=PublisherSettings(batch_bytes_max=1000)) as publisher:
        await publish_all(publisher, numbered(100))
    assert len(daemon.accepted) == 100
    assert max(request.ByteSize() for request in daemon.requests) <= 1000


async def test_envelope_without_an_id_is_copied_with_one(daemon: "Daemon") -> None:
    envelope = event("first")
    async with Publisher(daemon.target) as publisher:
        await publisher.publish(envelope)
        envelope.custom_event.name = "second"
        await publisher.publish(envelope)
    assert envelope.envelope_id == ""
    assert daemon.names == ["first", "second"]
    assert list(daemon.accepted) == sorted(daemon.accepted)


async def test_id_of_the_sender_is_kept(daemon: "Daemon") -> None:
    async with Publisher(daemon.target) as publisher:
        await publisher.publish(Envelope(envelope_id="mine", identity=Identity(email="a@example.com")))
    assert list(daemon.accepted) == ["mine"]


async def test_one_call_at_a_time_is_in_flight(daemon: "Daemon") -> None:
    daemon.answering.clear()
    async with Publisher(daemon.target, settings=PublisherSettings(batch_envelopes_max=1)) as publisher:
        await publish_all(publisher, numbered(3))
        await daemon.arrivals.get()
        with pytest.raises(asyncio.QueueEmpty):
            daemon.arrivals.get_nowait()
        daemon.answering.set()
        await publisher.flush()
    assert daemon.names == names(numbered(3))


@pytest.mark.fills("PublisherSettings.calls_in_flight_max")
async def test_calls_in_flight_follow_the_setting(daemon: "Daemon") -> None:
    daemon.answering.clear()
    settings = PublisherSettings(batch_envelopes_max=1, calls_in_flight_max=3)
    async with Publisher(daemon.target, settings=settings) as publisher:
        await publish_all(publisher, numbered(5))
        for _ in range(3):
            await daemon.arrivals.get()
        daemon.answering.set()
    assert sorted(daemon.names) == names(numbered(5))


async def test_envelopes_published_during_a_call_share_the_next(daemon: "Daemon") -> None:
    daemon.answering.clear()
    async with Publisher(daemon.target, settings=PublisherSettings(linger_seconds=0)) as publisher:
        await publisher.publish(event("first"))
        await daemon.arrivals.get()
        await publish_all(publisher, numbered(50))
        daemon.answering.set()
    assert [len(request.envelopes) for request in daemon.requests] == [1, 50]


@pytest.mark.fills("PublisherSettings.buffer_bytes_max")
async def test_publish_waits_while_the_buffer_is_full_and_keeps_the_order(daemon: "Daemon") -> None:
    daemon.answering.clear()
    settings = PublisherSettings(buffer_bytes_max=500, batch_envelopes_max=4)
    async with Publisher(daemon.target, settings=settings) as publisher:
        publishing = asyncio.create_task(publish_all(publisher, numbered(200)))
        await daemon.arrivals.get()
        assert not publishing.done()
        daemon.answering.set()
        await publishing
    assert daemon.names == names(numbered(200))


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
        (CODE.RESOURCE_EXHAUSTED, retry_info()),
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


async def test_scopes_error_carries_the_envelopes_and_its_cause(daemon: "Daemon") -> None:
    await daemon.stop()
    settings = PublisherSettings(close_seconds=0.2)
    with pytest.raises(PublishError, match="2 envelopes were not answered: UNAVAILABLE") as raised:
        async with Publisher(daemon.target, settings=settings) as publisher:
            await publish_all(publisher, numbered(2))
    assert names(raised.value.unanswered) == names(numbered(2))
    assert raised.value.code is CODE.UNAVAILABLE
    assert raised.value.__cause__ is not None
    assert isinstance(raised.value.__cause__.__cause__, grpc.RpcError)
    assert await publisher.close() == await publisher.close() == publisher.unanswered == raised.value.unanswered


async def test_error_in_the_body_wins_and_gets_a_note(daemon: "Daemon", caplog: pytest.LogCaptureFixture) -> None:
    daemon.answering.clear()
    publisher = Publisher(daemon.target, settings=PublisherSettings(close_seconds=0.01))

    async def fail_while_publishing() -> None:
        async with publisher:
            await publish_all(publisher, numbered(3))
            raise LookupError

    with pytest.raises(LookupError) as raised:
        await fail_while_publishing()
    assert "3 envelopes were not answered" in raised.value.__notes__[0]
    assert "3 envelopes were not answered" in caplog.text
    assert names(publisher.unanswered) == names(numbered(3))


async def test_publish_and_wait_and_flush_give_up_in_time(daemon: "Daemon") -> None:
    daemon.answering.clear()
    async with Publisher(daemon.target) as publisher:
        with pytest.raises(TimeoutError):
            await publisher.publish_and_wait(event("slow"), 0.01)
        with pytest.raises(TimeoutError):
            await publisher.flush(0.01)
        daemon.answering.set()
    assert daemon.names == ["slow"]


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


async def test_connection_that_may_not_be_used_costs_its_own_envelopes_alone(daemon: "Daemon") -> None:
    info = ErrorInfo(reason="CONNECTION_NOT_ALLOWED", metadata={"connection": "other"})
    daemon.refuse_next(CODE.PERMISSION_DENIED, (("grpc-status-details-bin", packed(info)),))
    results: list[EnvelopeResult] = []
    mixed = [event("a"), Envelope(connection="other", identity=Identity(customer_id="1")), event("b")]
    async with Publisher(daemon.target, on_results=results.extend) as publisher:
        await publish_all(publisher, mixed)
    assert daemon.names == ["a", "b"]
    assert [result.disposition for result in results] == [ACCEPTED, REJECTED, ACCEPTED]
    assert results[1].violations[0].reason == "CONNECTION_NOT_ALLOWED"


async def test_single_envelope_whose_resources_are_exhausted_is_repeated(
    daemon: "Daemon", quick: PublisherSettings
) -> None:
    daemon.refuse_next(CODE.RESOURCE_EXHAUSTED)
    async with Publisher(daemon.target, settings=quick) as publisher:
        result = await publisher.publish_and_wait(event("once"))
    assert result.disposition == ACCEPTED


async def test_token_file_is_read_again_before_each_call(daemon: "Daemon", tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xef\xbb\xbffirst\n")
    async with Publisher(daemon.target, token_file=file) as publisher:
        await publisher.publish_and_wait(event("a"))
        file.write_text("other\n")
        await publisher.publish_and_wait(event("b"))
        file.write_text("")
        await publisher.publish_and_wait(event("c"))
    assert [sent["authorization"] for sent in daemon.metadata] == ["Bearer first", "Bearer other", "Bearer other"]


async def test_one_warning_names_a_token_in_plain_text_beyond_this_machine(caplog: pytest.LogCaptureFixture) -> None:
    for target in ("127.0.0.1:1", "unix:/run/intercomd.sock"):
        await Publisher(target, token="t").close()
    assert not caplog.records
    await Publisher("gateway.example:443", token="t", tls=True).close()
    assert not caplog.records
    await Publisher("gateway.example:443", token="t").close()
    assert caplog.text.count("plain text") == 1


async def test_no_task_is_left_after_close(daemon: "Daemon") -> None:
    async with Publisher(daemon.target, settings=PublisherSettings(linger_seconds=3600)) as publisher:
        await publisher.publish(event("a"))
    coroutines = [str(task.get_coro()) for task in asyncio.all_tasks()]
    assert not [coroutine for coroutine in coroutines if "Publisher" in coroutine]


async def test_rejected_envelopes_are_logged_without_a_callback(
    daemon: "Daemon", caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "intercomd"):
        async with Publisher(daemon.target) as publisher:
            await publish_all(publisher, [Envelope(), *numbered(2)])
    assert [record.getMessage() for record in caplog.records] == ["1 of 3 envelopes were rejected: IDENTITY_REQUIRED"]


async def test_concurrent_publish_and_wait_calls_share_a_request(daemon: "Daemon") -> None:
    """Each gets its own result."""
    async with Publisher(daemon.target) as publisher:
        waiting = [publisher.publish_and_wait(envelope) for envelope in (event("a"), Envelope(), event("b"))]
        results = await asyncio.gather(*waiting)
    assert [result.disposition for result in results] == [ACCEPTED, REJECTED, ACCEPTED]
    assert [result.envelope_id for result in results] == [
        envelope.envelope_id for request in daemon.requests for envelope in request.envelopes
    ]
    assert len(daemon.requests) == 1


async def test_flush_skips_the_linger_and_waits_for_all_results(daemon: "Daemon") -> None:
    async with Publisher(daemon.target, settings=PublisherSettings(linger_seconds=3600)) as publisher:
        await publisher.flush()
        await publish_all(publisher, numbered(3))
        await publisher.flush()
        assert daemon.names == names(numbered(3))


async def test_close_returns_unsent_envelopes_in_order_with_their_ids(daemon: "Daemon") -> None:
    daemon.answering.clear()
    publisher = Publisher(daemon.target, settings=PublisherSettings(batch_envelopes_max=2))
    waiting = asyncio.create_task(publisher.publish_and_wait(event("waiting")))
    await daemon.arrivals.get()
    await publish_all(publisher, numbered(5))
    left = await publisher.close(timeout_seconds=0.01)
    assert names(left) == ["waiting", *names(numbered(5))]
    assert len({envelope.envelope_id for envelope in left} - {""}) == 6
    with pytest.raises(PublishError, match="closed"):
        await waiting
    with pytest.raises(PublishError, match="closed"):
        await publisher.publish(event("late"))


async def test_leaving_the_block_raises_for_unsent_envelopes(daemon: "Daemon") -> None:
    daemon.refuse_next(CODE.PERMISSION_DENIED)
    with pytest.raises(PublishError, match=r"2 envelopes were not answered: .*PERMISSION_DENIED"):
        async with Publisher(daemon.target) as publisher:
            await publish_all(publisher, numbered(2))


async def test_envelopes_returned_by_close_are_not_raised_again(daemon: "Daemon") -> None:
    daemon.refuse_next(CODE.PERMISSION_DENIED)
    async with Publisher(daemon.target) as publisher:
        await publisher.publish(event("first"))
        assert names(await publisher.close()) == ["first"]
        assert names(await publisher.close()) == ["first"]


async def test_leaving_the_block_hides_no_other_exception(daemon: "Daemon") -> None:
    daemon.refuse_next(CODE.PERMISSION_DENIED)

    async def fail_while_publishing() -> None:
        async with Publisher(daemon.target) as publisher:
            await publisher.publish(event("first"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail_while_publishing()


async def test_validate_only_and_metadata_reach_the_daemon(daemon: "Daemon") -> None:
    settings = PublisherSettings(validate_only=True)
    async with Publisher(daemon.target, settings=settings, metadata=[("authorization", "Bearer t")]) as publisher:
        result = await publisher.publish_and_wait(event("looked at"))
    assert result.disposition == ACCEPTED
    assert daemon.accepted == {}
    assert daemon.metadata[0]["authorization"] == "Bearer t"


async def test_cancelled_publish_has_published_nothing(daemon: "Daemon") -> None:
    daemon.answering.clear()
    async with Publisher(daemon.target, settings=PublisherSettings(buffer_bytes_max=1)) as publisher:
        await publisher.publish(event("first"))
        cancelled = asyncio.create_task(publisher.publish(event("cancelled")))
        following = asyncio.create_task(publisher.publish(event("following")))
        await daemon.arrivals.get()
        cancelled.cancel()
        daemon.answering.set()
        await following
    assert daemon.names == ["first", "following"]
