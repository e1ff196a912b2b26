"""The asyncio publisher sends envelopes in order, in batches, within its bounds."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from intercomd import Envelope, Identity, Publisher, PublisherSettings
from senders.publishing import ACCEPTED, REJECTED, event, names, numbered, publish_all

if TYPE_CHECKING:
    from conftest import Daemon


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


async def test_publish_and_wait_and_flush_give_up_in_time(daemon: "Daemon") -> None:
    daemon.answering.clear()
    async with Publisher(daemon.target) as publisher:
        with pytest.raises(TimeoutError, match=r"^no result after 0\.01 s, and the publisher goes on sending$"):
            await publisher.publish_and_wait(event("slow"), 0.01)
        with pytest.raises(TimeoutError, match=r"^no result after 0\.01 s"):
            await publisher.flush(0.01)
        daemon.answering.set()
    assert daemon.names == ["slow"]


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
    assert not [record for record in caplog.records if record.name == "intercomd"]
    await Publisher("gateway.example:443", token="t", tls=True).close()
    assert not [record for record in caplog.records if record.name == "intercomd"]
    await Publisher("gateway.example:443", token="t").close()
    assert caplog.text.count("plain text") == 1


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
