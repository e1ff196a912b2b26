"""Events whose seconds other processes claimed are shifted and appended again, a bounded number of times."""

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo

from ingest.acceptance import RecordingReport, SharedSpool, sent
from ingest.server import Served, envelope, refused
from intercomd.v1 import ingest_pb2 as messages
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import AcceptedEnvelope, TrackEvent
from intercomd_daemon.errors import SecondsTaken
from intercomd_daemon.ingest.accept import APPEND_ATTEMPTS_MAX, Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decoded import CustomEvent, SessionEnd
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.spool.record import unpack

NOW = 1_760_000_000.5
SENT_AT = 1_759_999_900
RULES = {"default": ConnectionSettings(name="default")}
OTHER_OWNER = 7


def acceptor(spool: SharedSpool, report: RecordingReport) -> Acceptor:
    return Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW, decide)


def key(name: str = "Order placed", shift: int = 0, sent_at: int = SENT_AT) -> int:
    """Returns the key of an event of the user u-1."""
    event = TrackEvent(name, sent_at + shift, b"")
    ((key, _),) = TimestampAllocator().allocate("default", "c:u-1", "any", (event,), sent_at).pairs
    return key


def shifts(decisions: list[Decision]) -> list[int]:
    return [decision.event_time - SENT_AT for decision in decisions if decision.event_time is not None]


def stored_shifts(spool: SharedSpool) -> dict[str, int]:
    stored = [unpack(row.data, AcceptedEnvelope) for row in spool.rows]
    return {each.envelope_id: each.events[0].created_at - SENT_AT for each in stored}


async def test_event_on_a_second_of_another_process_is_shifted_and_appended_again(report: RecordingReport) -> None:
    spool = SharedSpool([{key(): OTHER_OWNER}])
    (decision,) = await acceptor(spool, report).accept([sent(envelope_id="a")])
    assert decision.disposition is Disposition.ACCEPTED
    assert (shifts([decision]), stored_shifts(spool), spool.attempts) == ([1], {"a": 1}, 2)
    assert [finding.reason for finding in decision.adjustments] == ["TIME_SHIFTED"]
    assert spool.claims[key(shift=1)] != OTHER_OWNER


async def test_run_of_taken_seconds_costs_one_more_append(report: RecordingReport) -> None:
    spool = SharedSpool([{key(shift=shift): OTHER_OWNER + shift for shift in range(40)}])
    assert shifts(await acceptor(spool, report).accept([sent(envelope_id="a")])) == [40]
    assert spool.attempts == 2


async def test_event_without_a_free_second_stays_and_is_reported(report: RecordingReport) -> None:
    """As in one process: 300 s on, every second is taken."""
    spool = SharedSpool([{key(shift=shift): OTHER_OWNER for shift in range(301)}])
    late = sent(envelope_id="a", event_time=SENT_AT)
    (decision,) = await Acceptor(RULES, spool, TimestampAllocator(), report, lambda: NOW + 1000, decide).accept([late])
    assert shifts([decision]) == [0]
    assert [finding.reason for finding in decision.adjustments] == ["SAME_SECOND"]


async def test_other_envelopes_of_the_request_keep_their_order_and_seconds(report: RecordingReport) -> None:
    spool = SharedSpool([{key("Middle"): OTHER_OWNER}])
    envelopes = [
        sent(envelope_id="a", event=CustomEvent("First", [])),
        sent(envelope_id="b", event=CustomEvent("Middle", [])),
        sent(envelope_id="rejected", customer_id=""),
        sent(envelope_id="c", event=CustomEvent("Middle", [])),
        sent(envelope_id="d", event=None, user_attributes=[("plan", "pro")]),
    ]
    decisions = await acceptor(spool, report).accept(envelopes)
    assert [decision.envelope_id for decision in decisions] == ["a", "b", "rejected", "c", "d"]
    assert decisions[2].disposition is Disposition.REJECTED
    assert spool.appends == [["a", "b", "c", "d"]]
    times = {decision.envelope_id: decision.event_time for decision in decisions if decision.event_time is not None}
    assert times["a"] == SENT_AT
    assert sorted(times[name] - SENT_AT for name in "bc") == [1, 2]
    await report.reported.wait()
    assert report.batches == [decisions]


async def test_event_that_is_shifted_twice_counts_from_the_time_that_was_sent(report: RecordingReport) -> None:
    """The first shift is against the other envelope of the request, the second one against another process."""
    spool = SharedSpool([{key(shift=1): OTHER_OWNER}, {key(shift=2): OTHER_OWNER}])
    envelopes = [sent(envelope_id=name, user_attributes=[("plan", name)]) for name in "ab"]
    decisions = await acceptor(spool, report).accept(envelopes)
    assert (shifts(decisions), stored_shifts(spool), spool.attempts) == ([0, 3], {"a": 0, "b": 3}, 3)
    (finding,) = decisions[1].adjustments
    assert "shifted by 3 s" in finding.message
    stored = [unpack(row.data, AcceptedEnvelope) for row in spool.rows]
    assert [each.adjustments for each in stored] == [(), (finding,)]
    updates = [each.contact_update.attributes for each in stored if each.contact_update]
    assert updates == [{"plan": "a"}, {"plan": "b"}]


async def test_every_event_of_an_envelope_gets_a_free_second(report: RecordingReport) -> None:
    """Events of two kinds conflict at once."""
    spool = SharedSpool([{key(): OTHER_OWNER, key("Session End"): OTHER_OWNER}])
    envelopes = [sent(envelope_id="a"), sent(envelope_id="b", event=SessionEnd("s", None, []))]
    assert shifts(await acceptor(spool, report).accept(envelopes)) == [1, 1]
    assert spool.attempts == 2


async def test_repeat_at_another_daemon_gets_the_second_of_the_first(report: RecordingReport) -> None:
    spool = SharedSpool()
    first = await acceptor(spool, report).accept([sent(envelope_id="a")])
    again = await acceptor(spool, report).accept([sent(envelope_id="a")])
    assert shifts(first) == shifts(again) == [0]
    assert spool.attempts == 2


async def test_learned_claims_are_remembered_for_later_requests(report: RecordingReport) -> None:
    spool = SharedSpool([{key(): OTHER_OWNER}])
    daemon = acceptor(spool, report)
    await daemon.accept([sent(envelope_id="a")])
    assert shifts(await daemon.accept([sent(envelope_id="b")])) == [2]
    assert spool.attempts == 3


@pytest.mark.fills("ingest.accept.APPEND_ATTEMPTS_MAX")
async def test_request_is_refused_after_three_appends_whose_seconds_others_claimed(report: RecordingReport) -> None:
    racing = [{key(shift=shift): OTHER_OWNER} for shift in range(APPEND_ATTEMPTS_MAX)]
    spool = SharedSpool(racing)
    daemon = acceptor(spool, report)
    with pytest.raises(SecondsTaken):
        await daemon.accept([sent(envelope_id="a")])
    assert (spool.attempts, spool.appends, report.batches) == (APPEND_ATTEMPTS_MAX, [], [])
    assert shifts(await daemon.accept([sent(envelope_id="a")])) == [APPEND_ATTEMPTS_MAX]


async def test_request_above_the_bound_is_unavailable_with_a_delay(report: RecordingReport) -> None:
    published = envelope("a")
    sent_at = published.event_time.seconds
    spool = SharedSpool([{key(shift=shift, sent_at=sent_at): OTHER_OWNER} for shift in range(APPEND_ATTEMPTS_MAX)])
    async with Served(spool, report) as served:
        detail = RetryInfo()
        call = served.stub.Publish(messages.PublishRequest(envelopes=[published]))
        await refused(call, grpc.StatusCode.UNAVAILABLE, detail)
        assert detail.retry_delay.seconds == 1
