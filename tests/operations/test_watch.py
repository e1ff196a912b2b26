"""Watching the journal, over a real channel and a spool in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import msgspec
import pytest
from google.rpc.error_details_pb2 import BadRequest, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1 import outcome_pb2
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.operations.service import OperationsService
from intercomd_daemon.operations.watch import OUTCOMES_READ_MAX, WATCHES_MAX, WatchStep, first_cursor, step
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import OutcomeFilter

JOURNAL = 200
"""Outcomes that the journal of the fixture holds."""
SOON_SECONDS = 60.0
Stub = OperationsServiceStub
End = Callable[..., Awaitable[Outcome]]
Watch = grpc.aio.UnaryStreamCall

OUTCOME = Outcome("e", "default", "c", "", OutcomeType.DELIVERED, "", 1.0, 2.0, (), (), 0)


def _found(*sequences: int) -> list[Outcome]:
    return [msgspec.structs.replace(OUTCOME, sequence=sequence) for sequence in sequences]


@pytest.mark.parametrize(("after", "newest", "cursor"), [(None, 0, 0), (None, 7, 7), (0, 7, 0), (3, 7, 3), (7, 7, 7)])
def test_watch_begins_at_the_given_sequence_or_now(after: int | None, newest: int, cursor: int) -> None:
    assert first_cursor(after, newest) == cursor


@pytest.mark.parametrize("after", [-1, 8])
def test_watch_beyond_the_journal_is_refused(after: int) -> None:
    with pytest.raises(RequestRefused, match=f"after_sequence {after} is not a sequence of this journal: "):
        first_cursor(after, 7)


@pytest.mark.parametrize(
    ("cursor", "newest", "found", "oldest", "expected"),
    [
        (0, 0, [], 0, WatchStep(0, 0, more=False)),
        (4, 6, [5, 6], 1, WatchStep(6, 0, more=False)),
        (4, 9, [5], 1, WatchStep(9, 0, more=False)),
        (4, 9, [], 1, WatchStep(9, 0, more=False)),
        (4, 6, [5, 7], 1, WatchStep(7, 0, more=False)),
        (4, 9, [5, 6, 8], 1, WatchStep(8, 0, more=True)),
        (4, 9, [8, 9], 8, WatchStep(9, 3, more=False)),
        (4, 9, [], 8, WatchStep(9, 3, more=False)),
        (4, 6, [], 12, WatchStep(11, 7, more=False)),
        (4, 9, [], 5, WatchStep(9, 0, more=False)),
    ],
    ids=[
        "an empty journal",
        "all match",
        "the rest does not match",
        "nothing matches",
        "one ended during the look",
        "cut short",
        "some left before",
        "some left before, nothing matches",
        "the journal moved on during the look",
        "the next one is the oldest",
    ],
)
def test_read_advances_the_watch_and_counts_missed_outcomes(
    cursor: int, newest: int, found: list[int], oldest: int, expected: WatchStep
) -> None:
    assert step(cursor, newest, _found(*found), oldest, limit=3) == expected


async def _next(watch: Watch) -> Any:  # noqa: ANN401 - a sequence number of an outcome, or a count as a text
    async with asyncio.timeout(SOON_SECONDS):
        news = await watch.read()
    return news.outcome.envelope_id if news.HasField("outcome") else news.missed_count


async def _ended(watch: Watch, code: grpc.StatusCode, detail: Any) -> None:  # noqa: ANN401 - any google.rpc detail
    async with asyncio.timeout(SOON_SECONDS):
        assert await watch.code() is code
    packed = dict(await watch.trailing_metadata())["grpc-status-details-bin"]
    assert Status.FromString(packed).details[0].Unpack(detail)


async def test_watch_reports_outcomes_after_its_headers(stub: Stub, end: End) -> None:
    await end("before")
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest())
    await watch.initial_metadata()
    await end("first")
    assert await _next(watch) == "first"
    await end("second")
    await end("third")
    assert [await _next(watch), await _next(watch)] == ["second", "third"]


async def test_watch_resumes_after_a_sequence_without_a_gap(stub: Stub, end: End) -> None:
    ended = [await end(f"e-{number}") for number in range(4)]
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest(after_sequence=ended[1].sequence))
    assert [await _next(watch), await _next(watch)] == ["e-2", "e-3"]
    await end("e-4")
    assert await _next(watch) == "e-4"


async def test_watch_from_zero_reports_the_whole_journal_in_order(stub: Stub, end: End) -> None:
    for number in range(150):
        await end(f"e-{number}")
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest(after_sequence=0))
    assert [await _next(watch) for _ in range(150)] == [f"e-{number}" for number in range(150)]


async def test_watch_reports_matching_outcomes_only(stub: Stub, end: End) -> None:
    wanted = messages.OutcomeFilter(connection="eu", types=[outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED])
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest(filter=wanted))
    await watch.initial_metadata()
    await end("a", OutcomeType.DEAD_LETTERED)
    await end("b", connection="eu")
    await end("c", OutcomeType.DEAD_LETTERED, connection="eu")
    assert await _next(watch) == "c"


async def test_late_watch_gets_the_number_of_outcomes_it_missed(stub: Stub, end: End) -> None:
    for number in range(JOURNAL + 10):
        await end(f"e-{number}")
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest(after_sequence=3))
    assert [await _next(watch), await _next(watch)] == [7, "e-10"]


async def test_read_outcomes_that_do_not_match_are_not_missed(stub: Stub, end: End) -> None:
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest(filter=messages.OutcomeFilter(connection="eu")))
    await watch.initial_metadata()
    for number in range(2 * JOURNAL):
        await end(f"e-{number}")
        if number % 50 == 49:
            await end(f"mark-{number}", connection="eu")
            assert await _next(watch) == f"mark-{number}"


async def test_slow_reader_learns_how_many_outcomes_it_missed(stub: Stub, end: End) -> None:
    """All others are reported in order."""
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest())
    await watch.initial_metadata()
    count = 3 * JOURNAL
    for number in range(count):
        await end(str(number), reason="x" * 20_000)
        if number % 20 == 0:
            await stub.GetStatus(messages.GetStatusRequest())
    received, missed = [], 0
    while len(received) + missed < count:
        news = await _next(watch)
        if isinstance(news, int):
            missed += news
        else:
            received.append(int(news))
    assert missed > 0
    assert received == sorted(set(received))
    assert received[-1] == count - 1


async def test_watch_reports_a_discarded_dead_letter(stub: Stub, end: End) -> None:
    await end("e-1", OutcomeType.DEAD_LETTERED)
    wanted = messages.OutcomeFilter(types=[outcome_pb2.OUTCOME_TYPE_DISCARDED])
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest(filter=wanted))
    await watch.initial_metadata()
    await stub.DiscardDeadLetters(messages.DiscardDeadLettersRequest(expected_count=1))
    assert await _next(watch) == "e-1"


async def test_watch_closed_by_its_reader_leaves_nothing_behind(stub: Stub, bell: Any) -> None:  # noqa: ANN401 - conftest's Bell
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest())
    await watch.initial_metadata()
    assert len(bell.callbacks) == 1
    watch.cancel()
    async with asyncio.timeout(SOON_SECONDS):
        while bell.callbacks:
            await stub.GetStatus(messages.GetStatusRequest())


async def test_stop_reports_the_last_outcomes_before_the_watch_ends(
    stub: Stub, end: End, service: OperationsService
) -> None:
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest())
    await watch.initial_metadata()
    await end("last")
    service.close()
    assert await _next(watch) == "last"
    await _ended(watch, grpc.StatusCode.UNAVAILABLE, RetryInfo())
    await _ended(stub.WatchOutcomes(messages.WatchOutcomesRequest()), grpc.StatusCode.UNAVAILABLE, RetryInfo())


async def test_sequence_of_another_journal_is_refused(stub: Stub, end: End) -> None:
    await end("e-1")
    detail = BadRequest()
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest(after_sequence=2))
    await _ended(watch, grpc.StatusCode.INVALID_ARGUMENT, detail)
    assert detail.field_violations[0].field == "after_sequence"


async def test_watch_is_refused_before_the_spool_is_open(stub: Stub, opened: list[MemorySpool]) -> None:
    opened.clear()
    await _ended(stub.WatchOutcomes(messages.WatchOutcomesRequest()), grpc.StatusCode.UNAVAILABLE, RetryInfo())


@pytest.mark.fills("operations.watch.WATCHES_MAX")
async def test_watch_over_the_limit_is_refused(stub: Stub) -> None:
    watches = [stub.WatchOutcomes(messages.WatchOutcomesRequest()) for _ in range(WATCHES_MAX)]
    for watch in watches:
        await watch.initial_metadata()
    one_more = stub.WatchOutcomes(messages.WatchOutcomesRequest())
    await _ended(one_more, grpc.StatusCode.RESOURCE_EXHAUSTED, QuotaFailure())


@pytest.mark.fills("operations.watch.OUTCOMES_READ_MAX")
async def test_watch_reads_outcomes_in_small_batches_and_reports_all(spool: MemorySpool, stub: Stub, end: End) -> None:
    many = 2 * OUTCOMES_READ_MAX + 1
    for number in range(many):
        await end(f"e-{number}")
    found, _ = await spool.outcomes_after(OutcomeFilter(), 0, OUTCOMES_READ_MAX)
    assert step(0, many, found, 1, OUTCOMES_READ_MAX) == WatchStep(OUTCOMES_READ_MAX, 0, more=True)
    watch = stub.WatchOutcomes(messages.WatchOutcomesRequest(after_sequence=0))
    received = [(await watch.read()).outcome.envelope_id for _ in range(many)]
    assert received == [f"e-{number}" for number in range(many)]
    watch.cancel()
