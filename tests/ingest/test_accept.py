"""Accepting appends what is accepted, in one go, and says what became of each envelope."""

import asyncio
from itertools import count

import pytest

from ingest.acceptance import GatedSpool, Told, sent
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import RequestRefused, SpoolFull
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decision import Disposition
from intercomd_daemon.ingest.decoded import (
    CommerceEvent,
    CustomEvent,
    DecodedEnvelope,
    OtherEvent,
    Product,
    ProductAction,
)
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.record import unpack

NOW = 1_760_000_000.5
RULES = {
    "default": ConnectionSettings(name="default"),
    "keep": ConnectionSettings(name="keep", same_second="keep"),
}


@pytest.fixture
def spool() -> MemorySpool:
    return MemorySpool(("default", "keep"))


@pytest.fixture
def acceptor(spool: MemorySpool, told: Told) -> Acceptor:
    return Acceptor(RULES, spool, TimestampAllocator(), told, lambda: NOW)


async def kept(
    spool: MemorySpool, connection: str = "default", priority: Priority = Priority.NORMAL
) -> list[AcceptedEnvelope]:
    batch = await spool.read(connection, priority, 0, 1000, 1 << 20)
    return [unpack(row.data, AcceptedEnvelope) for row in batch.rows]


async def test_what_is_accepted_is_in_the_spool_when_the_answer_comes(
    acceptor: Acceptor, spool: MemorySpool, told: Told
) -> None:
    results = await acceptor.accept(
        [
            sent(envelope_id="a"),
            sent(envelope_id="b", customer_id=""),
            sent(envelope_id="c", event=OtherEvent("x")),
            sent(envelope_id="d", customer_id="", email="Ada@b.c", priority=Priority.BULK, traceparent=""),
        ]
    )
    assert [result.disposition for result in results] == [
        Disposition.ACCEPTED,
        Disposition.REJECTED,
        Disposition.SKIPPED,
        Disposition.ACCEPTED,
    ]
    assert await kept(spool) == [results[0].accepted]
    assert await kept(spool, priority=Priority.BULK) == [results[3].accepted]
    bulk = await spool.read("default", Priority.BULK, 0, 10, 1 << 20)
    assert [row.lane for row in bulk.rows] == ["e:ada@b.c"]
    assert told.batches == []  # It comes after the answer.
    await told.told.wait()
    assert told.batches == [results]


async def test_the_same_id_again_is_a_duplicate_also_in_one_request(acceptor: Acceptor, spool: MemorySpool) -> None:
    twice = [sent(envelope_id="a"), sent(envelope_id="b"), sent(envelope_id="a"), sent(envelope_id="c", customer_id="")]
    dispositions = [[result.disposition for result in await acceptor.accept(twice)] for _ in range(2)]
    accepted, duplicate, rejected = Disposition.ACCEPTED, Disposition.DUPLICATE, Disposition.REJECTED
    assert dispositions == [[accepted, accepted, duplicate, rejected], [duplicate, duplicate, duplicate, rejected]]
    assert len(await kept(spool)) == 2


async def test_an_id_that_the_daemon_made_is_never_a_duplicate(acceptor: Acceptor, spool: MemorySpool) -> None:
    made = sent(envelope_id="made", recognised=False)
    results = await acceptor.accept([made, made])
    assert [result.disposition for result in results] == [Disposition.ACCEPTED] * 2
    assert {envelope.events[0].created_at for envelope in await kept(spool)} == {made.event_time}


async def test_a_second_event_of_a_second_moves_on_in_the_record_and_the_answer(
    acceptor: Acceptor, spool: MemorySpool
) -> None:
    first, second = await acceptor.accept([sent(envelope_id="a"), sent(envelope_id="b")])
    assert [finding.reason for finding in second.adjustments] == ["TIME_SHIFTED"]
    assert first.adjustments == ()
    assert await kept(spool) == [first.accepted, second.accepted]
    assert second.accepted is not None
    assert second.accepted.adjustments == second.adjustments
    assert second.accepted.events[0].created_at == sent().event_time + 1


async def test_the_seconds_go_to_the_spool_and_a_new_acceptor_goes_on_with_them(told: Told) -> None:
    spool = GatedSpool()
    await Acceptor(RULES, spool, TimestampAllocator(), told, lambda: NOW).accept([sent(envelope_id="a")])
    restarted = Acceptor(RULES, spool, TimestampAllocator(spool.seconds), told, lambda: NOW)
    again, other = await restarted.accept([sent(envelope_id="a"), sent(envelope_id="b")])
    assert [finding.reason for finding in again.adjustments + other.adjustments] == ["TIME_SHIFTED"]
    assert len(spool.seconds) == 3


@pytest.mark.parametrize(
    "plain",
    [
        {"connection": "keep"},
        {"recognised": False},
        {"event": None, "user_attributes": [("a", 1)]},
    ],
)
async def test_no_seconds_are_taken_where_none_are_needed(plain: dict[str, object], told: Told) -> None:
    spool = GatedSpool()
    acceptor = Acceptor(RULES, spool, TimestampAllocator(), told, lambda: NOW)
    results = await acceptor.accept([sent(envelope_id=name, **plain) for name in "ab"])
    assert [(result.disposition, result.adjustments) for result in results] == [(Disposition.ACCEPTED, ())] * 2
    assert spool.seconds == []


async def test_a_full_spool_refuses_the_whole_request_and_a_repeat_has_the_same_seconds(told: Told) -> None:
    full = GatedSpool(rows_at_once_max=1)
    acceptor = Acceptor(RULES, full, TimestampAllocator(), told, lambda: NOW)
    with pytest.raises(SpoolFull):
        await acceptor.accept([sent(envelope_id="a"), sent(envelope_id="b")])
    assert (full.appends, told.batches) == ([], [])
    (result,) = await acceptor.accept([sent(envelope_id="b")])
    assert result.accepted is not None
    assert result.accepted.events[0].created_at == sent().event_time + 1


async def test_a_full_spool_does_not_matter_where_nothing_is_accepted(told: Told) -> None:
    acceptor = Acceptor(RULES, GatedSpool(rows_at_once_max=0), TimestampAllocator(), told, lambda: NOW)
    (result,) = await acceptor.accept([sent(customer_id="")])
    assert result.disposition is Disposition.REJECTED


async def test_looking_writes_nothing_takes_no_second_and_finds_no_duplicate(told: Told) -> None:
    spool = GatedSpool()
    acceptor = Acceptor(RULES, spool, TimestampAllocator(), told, lambda: NOW)
    looked = [(await acceptor.check([sent(envelope_id=name)]))[0] for name in "aab"]
    assert [(result.disposition, result.adjustments) for result in looked] == [(Disposition.ACCEPTED, ())] * 3
    assert (spool.appends, told.batches) == ([], [])
    (result,) = await acceptor.accept([sent(envelope_id="c")])
    assert result.adjustments == ()


def expanding(number: int) -> DecodedEnvelope:
    """An envelope whose events have half a MiB, though it is small itself."""
    own = [(f"{index}" * 190, "\u1234" * 255) for index in range(5)]
    items = [Product("", "", "", "", "", None, "", "", "", "", [])] * 100
    action = ProductAction("click", items, "", "", "", "", "", "", "", "", None, "", "")
    return sent(envelope_id=str(number), event=CommerceEvent(action, "", "", own))


@pytest.mark.parametrize("method", ["accept", "check"])
@pytest.mark.fills("ingest.limits.REQUEST_EXPANDED_BYTES_MAX")
async def test_a_request_that_would_become_too_much_is_refused_before_it_has(told: Told, method: str) -> None:
    spool = GatedSpool()
    acceptor = Acceptor(RULES, spool, TimestampAllocator(), told, lambda: NOW)
    assert await getattr(acceptor, method)(map(expanding, range(50)))
    spool.appends.clear()
    endless = map(expanding, count())
    with pytest.raises(RequestRefused):
        await getattr(acceptor, method)(endless)
    assert spool.appends == []
    assert int(next(endless).envelope_id) < 100


@pytest.mark.fills("ingest.accept.TURN_SECONDS")
async def test_others_have_their_turn_amid_a_request_that_takes_long(acceptor: Acceptor) -> None:
    long = asyncio.ensure_future(acceptor.accept([sent(envelope_id="a", customer_id="")] * 100_000))
    (result,) = await acceptor.accept([sent(envelope_id="b")])
    assert result.disposition is Disposition.ACCEPTED
    assert not long.done()
    long.cancel()
    await asyncio.wait([long])


async def test_an_event_without_a_time_has_that_of_the_clock(acceptor: Acceptor, spool: MemorySpool) -> None:
    await acceptor.accept([sent(event_time=None, event=CustomEvent("x", []))])
    (envelope,) = await kept(spool)
    assert (envelope.accept_time, envelope.events[0].created_at) == (NOW, int(NOW))
