"""Accepting appends the accepted envelopes in one commit and returns a decision for each."""

import asyncio
from itertools import count

import pytest

from ingest.acceptance import GatedSpool, RecordingReport, sent
from intercomd_daemon.connection import ConnectionsByName, ConnectionSettings
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import RequestRefused, SpoolFull
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decision import Decision, Disposition
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
from intercomd_daemon.spool.trail import TrailFilter

NOW = 1_760_000_000.5
RULES = {
    "default": ConnectionSettings(name="default"),
    "keep": ConnectionSettings(name="keep", same_second="keep"),
}


@pytest.fixture
def spool() -> MemorySpool:
    return MemorySpool(("default", "keep"), wall=lambda: NOW)


@pytest.fixture
def acceptor(spool: MemorySpool, report: RecordingReport) -> Acceptor:
    return Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, decide)


async def test_rejected_and_skipped_envelopes_are_kept_for_the_trail(acceptor: Acceptor, spool: MemorySpool) -> None:
    envelopes = [
        sent(envelope_id="a"),
        sent(envelope_id="b", customer_id=""),
        sent(envelope_id="c", event=OtherEvent("x")),
        sent(envelope_id="d", connection="nowhere"),
    ]
    await acceptor.accept(envelopes)
    await acceptor.accept(envelopes[:1])
    await acceptor.check(envelopes)
    refusals = await spool.refusals(TrailFilter(), 0, 10)
    assert [(each.envelope_id, each.disposition, each.violations[0].reason) for each in refusals] == [
        ("d", 4, "UNKNOWN_CONNECTION"),
        ("c", 3, "UNSUPPORTED_EVENT_TYPE"),
        ("b", 4, "IDENTITY_REQUIRED"),
    ]
    assert {each.time for each in refusals} == {NOW}


async def test_envelopes_of_a_refused_request_leave_no_refusal(report: RecordingReport) -> None:
    """The sender repeats the request as a whole."""
    full = GatedSpool(rows_at_once_max=0)
    acceptor = Acceptor(RULES, full, TimestampAllocator(), report, lambda: NOW, decide)
    with pytest.raises(SpoolFull):
        await acceptor.accept([sent(envelope_id="a"), sent(envelope_id="b", customer_id="")])
    assert full.refusals == []


async def kept(
    spool: MemorySpool, connection: str = "default", priority: Priority = Priority.NORMAL
) -> list[AcceptedEnvelope]:
    batch = await spool.read(connection, priority, 0, 1000, 1 << 20)
    return [unpack(row.data, AcceptedEnvelope) for row in batch.rows]


async def test_accept_returns_after_the_commit_and_reports_afterwards(
    acceptor: Acceptor, spool: MemorySpool, report: RecordingReport
) -> None:
    envelopes = [
        sent(envelope_id="a"),
        sent(envelope_id="b", customer_id=""),
        sent(envelope_id="c", event=OtherEvent("x")),
        sent(envelope_id="d", customer_id="", email="Ada@b.c", priority=Priority.BULK, traceparent=""),
    ]
    results = await acceptor.accept(envelopes)
    assert [result.disposition for result in results] == [
        Disposition.ACCEPTED,
        Disposition.REJECTED,
        Disposition.SKIPPED,
        Disposition.ACCEPTED,
    ]
    assert await kept(spool) == [decide(envelopes[0], RULES, NOW).accepted]
    assert await kept(spool, priority=Priority.BULK) == [decide(envelopes[3], RULES, NOW).accepted]
    assert [result.event_time for result in results] == [sent().event_time, None, None, sent().event_time]
    assert not any(result.accepted for result in results)
    bulk = await spool.read("default", Priority.BULK, 0, 10, 1 << 20)
    assert [row.lane for row in bulk.rows] == ["e:ada@b.c"]
    assert report.batches == []  # The report comes after the response.
    await report.reported.wait()
    assert report.batches == [results]


async def test_request_is_decided_when_the_spool_no_longer_inserts_rows(report: RecordingReport) -> None:
    spool = GatedSpool()
    insertion = asyncio.get_running_loop().create_future()
    spool.insertions.append(insertion)
    decided: list[str] = []

    def deciding(envelope: DecodedEnvelope, connections: ConnectionsByName, now: float, *names: str) -> Decision:
        decided.append(envelope.envelope_id)
        return decide(envelope, connections, now, *names)

    acceptor = Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, deciding)
    waiting = asyncio.create_task(acceptor.accept([sent(envelope_id="a")]))
    await asyncio.wait({waiting}, timeout=0)
    assert decided == []
    await acceptor.accept([sent(envelope_id="b")])
    insertion.set_result(None)
    await waiting
    assert decided == ["b", "a"]


async def test_repeated_id_is_a_duplicate_even_in_one_request(acceptor: Acceptor, spool: MemorySpool) -> None:
    twice = [sent(envelope_id="a"), sent(envelope_id="b"), sent(envelope_id="a"), sent(envelope_id="c", customer_id="")]
    dispositions = [[result.disposition for result in await acceptor.accept(twice)] for _ in range(2)]
    accepted, duplicate, rejected = Disposition.ACCEPTED, Disposition.DUPLICATE, Disposition.REJECTED
    assert dispositions == [[accepted, accepted, duplicate, rejected], [duplicate, duplicate, duplicate, rejected]]
    assert len(await kept(spool)) == 2


async def test_id_made_by_the_daemon_is_never_a_duplicate(acceptor: Acceptor, spool: MemorySpool) -> None:
    made = sent(envelope_id="made", recognised=False)
    results = await acceptor.accept([made, made])
    assert [result.disposition for result in results] == [Disposition.ACCEPTED] * 2
    assert {envelope.events[0].created_at for envelope in await kept(spool)} == {made.event_time}


async def test_shifted_time_is_stored_and_returned(acceptor: Acceptor, spool: MemorySpool) -> None:
    first, second = await acceptor.accept([sent(envelope_id="a"), sent(envelope_id="b")])
    assert [finding.reason for finding in second.adjustments] == ["TIME_SHIFTED"]
    assert first.adjustments == ()
    stored = await kept(spool)
    assert stored[0] == decide(sent(envelope_id="a"), RULES, NOW).accepted
    assert [each.adjustments for each in stored] == [(), second.adjustments]
    times = [each.events[0].created_at for each in stored]
    assert times == [first.event_time, second.event_time] == [sent().event_time, sent().event_time + 1]


async def test_claims_are_stored_and_honoured_after_a_restart(report: RecordingReport) -> None:
    spool = GatedSpool()
    await Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, decide).accept([sent(envelope_id="a")])
    restarted = Acceptor(RULES, spool, TimestampAllocator(spool.seconds), report, lambda: NOW, decide)
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
async def test_no_second_is_claimed_without_need(plain: dict[str, object], report: RecordingReport) -> None:
    spool = GatedSpool()
    acceptor = Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, decide)
    results = await acceptor.accept([sent(envelope_id=name, **plain) for name in "ab"])
    assert [(result.disposition, result.adjustments) for result in results] == [(Disposition.ACCEPTED, ())] * 2
    assert spool.seconds == []


async def test_full_spool_refuses_the_request_and_a_repeat_gets_the_same_seconds(report: RecordingReport) -> None:
    full = GatedSpool(rows_at_once_max=1)
    acceptor = Acceptor(RULES, full, TimestampAllocator(), report, lambda: NOW, decide)
    with pytest.raises(SpoolFull):
        await acceptor.accept([sent(envelope_id="a"), sent(envelope_id="b")])
    assert (full.appends, report.batches) == ([], [])
    (result,) = await acceptor.accept([sent(envelope_id="b")])
    assert result.event_time == sent().event_time + 1


async def test_full_spool_does_not_refuse_a_request_without_accepted_envelopes(report: RecordingReport) -> None:
    acceptor = Acceptor(RULES, GatedSpool(rows_at_once_max=0), TimestampAllocator(), report, lambda: NOW, decide)
    (result,) = await acceptor.accept([sent(customer_id="")])
    assert result.disposition is Disposition.REJECTED


async def test_check_writes_nothing_claims_no_second_and_finds_no_duplicate(report: RecordingReport) -> None:
    spool = GatedSpool()
    acceptor = Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, decide)
    checked = [(await acceptor.check([sent(envelope_id=name)]))[0] for name in "aab"]
    assert [(result.disposition, result.adjustments) for result in checked] == [(Disposition.ACCEPTED, ())] * 3
    assert (spool.appends, report.batches) == ([], [])
    (result,) = await acceptor.accept([sent(envelope_id="c")])
    assert result.adjustments == ()


def expanding(number: int) -> DecodedEnvelope:
    """Returns a small envelope whose events have half a MiB."""
    own = [(f"{index}" * 190, "\u1234" * 255) for index in range(5)]
    items = [Product("", "", "", "", "", None, "", "", "", "", [])] * 100
    action = ProductAction("click", items, "", "", "", "", "", "", "", "", None, "", "")
    return sent(envelope_id=str(number), event=CommerceEvent(action, "", "", own))


@pytest.mark.parametrize("method", ["accept", "check"])
@pytest.mark.fills("ingest.limits.REQUEST_EXPANDED_BYTES_MAX")
async def test_request_that_expands_beyond_the_limit_is_refused(report: RecordingReport, method: str) -> None:
    spool = GatedSpool()
    acceptor = Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, decide)
    assert await getattr(acceptor, method)(map(expanding, range(50)))
    spool.appends.clear()
    endless = map(expanding, count())
    with pytest.raises(RequestRefused):
        await getattr(acceptor, method)(endless)
    assert spool.appends == []
    assert int(next(endless).envelope_id) < 100


@pytest.mark.fills("ingest.accept.TURN_SECONDS")
async def test_long_request_lets_other_tasks_run(acceptor: Acceptor) -> None:
    long = asyncio.ensure_future(acceptor.accept([sent(envelope_id="a", customer_id="")] * 100_000))
    (result,) = await acceptor.accept([sent(envelope_id="b")])
    assert result.disposition is Disposition.ACCEPTED
    assert not long.done()
    long.cancel()
    await asyncio.wait([long])


async def test_event_without_a_time_gets_the_time_of_acceptance(acceptor: Acceptor, spool: MemorySpool) -> None:
    await acceptor.accept([sent(event_time=None, event=CustomEvent("x", []))])
    (envelope,) = await kept(spool)
    assert (envelope.accept_time, envelope.events[0].created_at) == (NOW, int(NOW))
