"""Requests of which nothing is taken: the caller's fault, said with code and details that every language can read."""

import grpc
import pytest

from daemons.process import Daemon
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import Disposition, PublishRequest
from senders.client import Refused, envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20
GOOD = envelope("u1", "Opened", envelope_id="a good one")
# Each is far below the 128 KiB of an envelope; together they are over the limit of a request.
LARGE = [envelope("u1", "Opened", metadata={"text": "x" * 102_000}) for _ in range(42)]


def request(*envelopes: Envelope) -> bytes:
    return PublishRequest(envelopes=envelopes).SerializeToString()


# Preview's requests are written like Publish's: only the envelopes have another number there.
CASES = (
    ("empty", request(), "envelopes"),
    ("501 envelopes", request(*501 * [GOOD]), "envelopes"),
    ("over 4 MiB", request(GOOD, *LARGE), ""),
    ("far over 4 MiB", request(GOOD, *3 * LARGE), ""),
    ("garbage", b"\xff\xfe no protobuf \x00", ""),
    ("cut", request(GOOD)[:-3], ""),
    ("an id that is not UTF-8", request(GOOD).replace(b"a good one", b"a g\xff\xfed one"), ""),
    ("a name that is not UTF-8", request(GOOD).replace(b"Opened", b"Ope\xc3\x28d"), ""),
    ("a request_id too long", PublishRequest(request_id="r" * 129, envelopes=[GOOD]).SerializeToString(), "request_id"),
)


@pytest.mark.parametrize(("data", "field"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_malformed_request_is_invalid_argument_and_takes_nothing(shared: Daemon, data: bytes, field: str) -> None:
    await shared.heard("connection", state="delivering")
    publish = shared.channel.unary_unary("/intercomd.v1.IngestService/Publish")
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await publish(data)
    Refused(ended.value).must_be_bad(field)
    status = await shared.connection()
    assert (status.waiting_normal, status.calls_made) == (0, 1), "nothing waits, and only GET /me was called"


@pytest.mark.parametrize("data", [b"", b"\xff\xfe no protobuf \x00"], ids=["empty", "garbage"])
async def test_malformed_preview_is_refused_in_the_same_way(shared: Daemon, data: bytes) -> None:
    preview = shared.channel.unary_unary("/intercomd.v1.IngestService/Preview")
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await preview(data)
    Refused(ended.value).must_be_bad("" if data else "envelopes")


async def test_request_at_the_limits_is_accepted(shared: Daemon) -> None:
    """500 envelopes; 4 MiB; a request_id of 128 bytes, by which the daemon names envelopes without an id."""
    many = await shared.publish(*(envelope(f"u{n}", "Opened") for n in range(499)), GOOD)
    assert {result.disposition for result in many.results} == {Disposition.DISPOSITION_ACCEPTED}
    large = PublishRequest(envelopes=LARGE[:41], request_id="r" * 128)
    filling = 4 * MIB - large.ByteSize()
    large.envelopes[0].custom_event.attributes[0].value.string_value += "x" * (filling - 2)
    assert 4 * MIB - 4 < large.ByteSize() <= 4 * MIB
    answer = await shared.ingest.Publish(large)
    assert {result.disposition for result in answer.results} == {Disposition.DISPOSITION_ACCEPTED}
    assert [result.envelope_id for result in answer.results] == [f"{large.request_id}/{index}" for index in range(41)]


async def test_response_stays_under_its_limit_with_any_number_of_findings(shared: Daemon) -> None:
    """500 envelopes with 40 attributes renamed each: what is not listed is counted, and every result is there."""
    update = {f"attribute.{number}": number for number in range(40)}
    answer = await shared.publish(*(envelope(f"v{n}", update=update) for n in range(500)))
    assert {result.disposition for result in answer.results} == {Disposition.DISPOSITION_ACCEPTED}
    assert answer.ByteSize() < MIB
    assert sum(len(result.adjustments) + result.adjustments_omitted for result in answer.results) == 500 * 40
    assert any(result.adjustments_omitted for result in answer.results)
