"""Closing a publisher returns or raises the envelopes without a response."""

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest

from intercomd import Publisher, PublishError, PublisherSettings, lifecycle
from senders.publishing import CODE, event, names, numbered, publish_all

if TYPE_CHECKING:
    from conftest import Daemon


async def test_error_of_the_block_has_the_envelopes_and_its_cause(daemon: "Daemon") -> None:
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


async def test_error_in_the_block_is_raised_with_a_note(daemon: "Daemon", caplog: pytest.LogCaptureFixture) -> None:
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


async def test_no_task_is_left_after_close(daemon: "Daemon") -> None:
    async with Publisher(daemon.target, settings=PublisherSettings(linger_seconds=3600)) as publisher:
        await publisher.publish(event("a"))
    coroutines = [str(task.get_coro()) for task in asyncio.all_tasks()]
    assert not [coroutine for coroutine in coroutines if "Publisher" in coroutine]


async def test_cancelled_tasks_of_the_publisher_are_started_again(daemon: "Daemon") -> None:
    """Code that shuts a service down may cancel every task of the loop."""
    publisher = Publisher(daemon.target, settings=PublisherSettings(batch_envelopes_max=1))
    daemon.answering.clear()
    for name in ("first", "second"):
        await publisher.publish(event(name))
    await daemon.arrivals.get()
    await _cancel_tasks_of_publishers()
    daemon.answering.set()
    await publisher.publish_and_wait(event("third"))
    assert daemon.names == ["first", "second", "third"]
    await _cancel_tasks_of_publishers()
    await publisher.flush()
    await publisher.publish(event("fourth"))
    await _cancel_tasks_of_publishers()
    assert await publisher.close() == []
    assert daemon.names[3:] == ["fourth"]


async def _cancel_tasks_of_publishers() -> None:
    """The server of the test has tasks on this loop, too."""
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == "intercomd-publisher"]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


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


@pytest.mark.parametrize(
    ("seconds", "failure", "text"),
    [
        (30.0, None, "no result after 30 s, and the publisher goes on sending"),
        (0.5, PublishError("gone"), "no result after 0.5 s, and the publisher goes on sending: gone"),
        (None, None, "no result, and the publisher goes on sending"),
    ],
)
def test_late_result_names_the_time_and_the_last_failed_call(
    seconds: float | None, failure: PublishError | None, text: str
) -> None:
    assert str(lifecycle.late(seconds, failure)) == text
