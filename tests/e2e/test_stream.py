"""PublishStream: answers in the order of the messages, messages ahead of the answers, and how a stream ends."""

import asyncio

import grpc
import pytest

from daemons.process import Daemon
from intercomd.v1.ingest_pb2 import Disposition, PublishStreamRequest
from intercomd_daemon.sandbox import Sandbox
from senders.client import Refused, converse, envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
DUPLICATE = Disposition.DISPOSITION_DUPLICATE
AHEAD = 32
MESSAGES = 400
BLOCKED_SECONDS = 3.0
"""After which a sender that could write on has written everything."""


def message(name: str, sequence: int, users: int = 7) -> PublishStreamRequest:
    """A batch of one, whose id is made of the stream's name and the sequence."""
    one = envelope(f"{name}-{sequence % users}", "Step", at=sequence, envelope_id=f"{name}-{sequence}")
    return PublishStreamRequest(sequence=sequence, envelopes=[one])


async def test_stream_answers_and_delivers_in_the_order_of_the_messages(
    shared: Daemon, shared_sandbox: Sandbox
) -> None:
    messages = [message("order", sequence) for sequence in range(1, 301)]
    answers, refusal = await converse(shared.ingest_address, messages)
    assert refusal is None
    assert [answer.sequence for answer in answers] == list(range(1, 301))
    assert [answer.results[0].envelope_id for answer in answers] == [f"order-{n}" for n in range(1, 301)]
    assert {answer.results[0].disposition for answer in answers} == {ACCEPTED}
    assert answers[0].spool.envelopes >= 1
    await shared.ended([f"order-{n}" for n in range(1, 301)])
    for user in range(7):
        times = [event.created_at for event in shared_sandbox.events if event.external_id == f"order-{user}"]
        assert times == sorted(times)
        assert len(times) == len(range(1, 301)[user - 1 if user else 6 :: 7])


async def test_stream_accepts_32_messages_before_an_answer_is_read(shared: Daemon) -> None:
    stream = shared.ingest.PublishStream()
    for sequence in range(AHEAD):
        await stream.write(message("ahead", sequence))
    await shared.ended([f"ahead-{sequence}" for sequence in range(AHEAD)])
    answers = [await stream.read() for _ in range(AHEAD)]
    assert [answer.sequence for answer in answers] == list(range(AHEAD))
    await stream.write(message("ahead", AHEAD))
    assert (await stream.read()).sequence == AHEAD
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF


async def test_stream_ends_after_a_refused_message(
    shared: Daemon,
) -> None:
    """The earlier messages are answered, the later ones are not read."""
    messages = [message("ends", sequence) for sequence in range(20)]
    messages[10] = PublishStreamRequest(sequence=10)
    answers, refusal = await converse(shared.ingest_address, messages)
    assert [answer.sequence for answer in answers] == list(range(10))
    assert refusal is not None
    refusal.must_be_bad("envelopes")
    again = await shared.publish(*(message("ends", sequence).envelopes[0] for sequence in range(9, 12)))
    assert [result.disposition for result in again.results] == [DUPLICATE, ACCEPTED, ACCEPTED]


async def test_stream_ends_after_a_malformed_message(shared: Daemon) -> None:
    stream = shared.channel.stream_stream("/intercomd.v1.IngestService/PublishStream")()
    await stream.write(message("bytes", 0).SerializeToString())
    await stream.read()
    await stream.write(b"\xff no message")
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stream.read()
    Refused(ended.value).must_be_bad("")


async def test_stream_goes_on_after_rejected_envelopes(shared: Daemon) -> None:
    messages = [message("mixed", sequence) for sequence in range(3)]
    messages[1].envelopes[0].identity.Clear()
    answers, refusal = await converse(shared.ingest_address, messages)
    assert refusal is None
    rejected = Disposition.DISPOSITION_REJECTED
    assert [answer.results[0].disposition for answer in answers] == [ACCEPTED, rejected, ACCEPTED]


async def test_stream_repeated_after_a_cut_accepts_each_envelope_once(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """The sender does not know how far the first one came; the same ids make the repeat harmless."""
    stream = shared.ingest.PublishStream()
    for sequence in range(10):
        await stream.write(message("cut", sequence))
    await stream.read()
    stream.cancel()
    answers, refusal = await converse(shared.ingest_address, [message("cut", sequence) for sequence in range(10)])
    assert refusal is None
    assert answers[0].results[0].disposition == DUPLICATE
    assert {answer.results[0].disposition for answer in answers} <= {ACCEPTED, DUPLICATE}
    await shared.ended([f"cut-{sequence}" for sequence in range(10)])
    arrived = [event.created_at for event in shared_sandbox.events if (event.external_id or "").startswith("cut-")]
    assert len(arrived) == len(set(arrived)) == 10


async def test_stream_waits_while_its_answers_are_not_read(shared: Daemon) -> None:
    """The answers are large; a sender that reads none of them is stopped long before the end, and loses nothing."""
    nothing = dict.fromkeys((f"attribute {number}" for number in range(100)), float("nan"))
    batch = [envelope("slow", update=nothing, envelope_id=f"slow-{number}") for number in range(10)]
    stream = shared.ingest.PublishStream()

    async def write() -> None:
        for sequence in range(MESSAGES):
            await stream.write(PublishStreamRequest(sequence=sequence, envelopes=batch))
        await stream.done_writing()

    looked_at = len(shared.logged("rejected"))
    writing = asyncio.create_task(write())
    done, _ = await asyncio.wait({writing}, timeout=BLOCKED_SECONDS)
    assert not done
    looked_at = len(shared.logged("rejected")) - looked_at
    assert looked_at < MESSAGES * len(batch) / 2
    answers = [answer.sequence async for answer in stream]
    await writing
    assert answers == list(range(MESSAGES))


async def test_unanswered_messages_of_an_ended_stream_can_be_repeated(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """As the client's README says: grpc.aio may tell INTERNAL then, of its own, in place of how the stream ended."""
    messages = [message("behind", sequence) for sequence in range(1, 21)]
    stream = shared.ingest.PublishStream()
    with pytest.raises(grpc.aio.AioRpcError) as ended:  # noqa: PT012 - whichever call it is that tells
        for each in (*messages[:3], PublishStreamRequest(sequence=0), *messages[3:]):
            await stream.write(each)
        while await stream.read() is not grpc.aio.EOF:
            pass
    error = (ended.value.code(), ended.value.details())
    assert error[0] is grpc.StatusCode.INVALID_ARGUMENT or error == (
        grpc.StatusCode.INTERNAL,
        "Internal error from Core",
    )
    answers, refusal = await converse(shared.ingest_address, messages)
    assert refusal is None
    assert {answer.results[0].disposition for answer in answers} <= {ACCEPTED, DUPLICATE}
    await shared.ended([f"behind-{sequence}" for sequence in range(1, 21)])
    arrived = [event for event in shared_sandbox.events if (event.external_id or "").startswith("behind-")]
    assert len(arrived) == 20
