"""A full spool: whole requests are refused with the time to wait, nothing is lost, and it recovers by itself."""

from collections.abc import Awaitable

import aiohttp
import grpc
import pytest
from google.protobuf.message import Message

from daemons.process import Daemon, Start
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import Disposition, PreviewRequest, PublishStreamRequest
from intercomd_daemon.sandbox import Sandbox
from senders.client import Refused, converse, envelope

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
TEXT = "x" * 20_000

Full = tuple[Daemon, list[str]]


@pytest.fixture
async def full(start: Start, sandbox: Sandbox) -> Full:
    """A daemon whose spool of 1 MiB has no room, as Intercom is away; and the ids that it has accepted."""
    daemon = await start(spool={"bytes_max": "1MiB"})
    await sandbox.stop()
    return daemon, await fill(daemon)


def large(number: int) -> Envelope:
    return envelope(f"u{number % 5}", "Filled", at=number, metadata={"text": TEXT}, envelope_id=f"large-{number}")


async def fill(daemon: Daemon) -> list[str]:
    """Publishes until a request of one envelope is refused."""
    accepted: list[str] = []
    for number in range(200):
        try:
            answer = await daemon.publish(large(number))
        except grpc.aio.AioRpcError as error:
            Refused(error).must_be_not_now()
            break
        assert answer.results[0].disposition == ACCEPTED
        accepted.append(f"large-{number}")
    assert 20 < len(accepted) < 100
    return accepted


async def refused(call: Awaitable[Message]) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call
    return Refused(ended.value)


@pytest.mark.fills("spool.bytes_max")
async def test_full_spool_refuses_whole_requests_and_recovers(full: Full, sandbox: Sandbox) -> None:
    daemon, accepted = full
    small = envelope("u9", "Small", envelope_id="small")
    (await refused(daemon.publish(small, large(500)))).must_be_not_now()
    await sandbox.start()
    await daemon.ended(accepted)
    answer = await daemon.publish(small, large(500))
    assert [result.disposition for result in answer.results] == [ACCEPTED, ACCEPTED]
    await daemon.ended(["small", "large-500"])
    assert len(sandbox.events) == len(accepted) + 2
    assert daemon.outcomes.total() == len(accepted) + 2
    status = await daemon.connection()
    assert status.waiting_normal == 0


async def test_full_spool_answers_previews(full: Full) -> None:
    daemon, _ = full
    looked = await daemon.publish(large(500), validate_only=True)
    preview = await daemon.ingest.Preview(PreviewRequest(envelopes=[large(500)]))
    assert [result.disposition for result in looked.results] == [ACCEPTED]
    assert [each.result.disposition for each in preview.previews] == [ACCEPTED]
    assert [request.path for request in preview.previews[0].requests] == ["/events"]


async def test_full_spool_answers_requests_without_appends(full: Full) -> None:
    """Rejected and skipped envelopes need no room."""
    daemon, _ = full
    answer = await daemon.publish(envelope("", "Opened"), envelope("u1"))
    assert {result.disposition for result in answer.results} == {Disposition.DISPOSITION_REJECTED}


async def test_full_spool_is_reported_and_stays_in_service(full: Full) -> None:
    daemon, accepted = full
    async with aiohttp.ClientSession(f"http://{daemon.http_address}") as pages:
        async with pages.get("/readyz") as ready:
            assert ready.status == 200
        async with pages.get("/metrics") as metrics:
            lines = (await metrics.text()).splitlines()
    assert "intercomd_spool_refusing 1.0" in lines
    assert f'intercomd_spool_envelopes{{connection="default",priority="normal"}} {len(accepted)}.0' in lines
    looked = await daemon.publish(large(500), validate_only=True)
    assert looked.spool.fill_ratio > 0.9
    assert looked.spool.envelopes == len(accepted)


async def test_full_spool_is_full_after_a_crash_and_loses_nothing(full: Full, sandbox: Sandbox) -> None:
    daemon, accepted = full
    await daemon.kill()
    await daemon.start()
    (await refused(daemon.publish(large(500)))).must_be_not_now()
    await sandbox.start()
    await daemon.ended(accepted)
    arrived = [event.created_at for event in sandbox.events]
    assert len(set(arrived)) == len(arrived) == len(accepted)


async def test_full_spool_ends_a_stream_after_the_accepted_messages(start: Start, sandbox: Sandbox) -> None:
    """Of many messages sent ahead, a beginning is taken and answered; the rest is known not to be taken."""
    daemon = await start(spool={"bytes_max": "1MiB"})
    await sandbox.stop()
    messages = [PublishStreamRequest(sequence=number, envelopes=[large(number)]) for number in range(100)]
    answers, refusal = await converse(daemon.ingest_address, messages)
    assert refusal is not None
    refusal.must_be_not_now()
    assert 20 < len(answers) < 100
    assert [answer.sequence for answer in answers] == list(range(len(answers)))
    assert {answer.results[0].disposition for answer in answers} == {ACCEPTED}
    status = await daemon.connection()
    assert status.waiting_normal == len(answers)
