"""A request that an agent forwards: a repeat gets the decisions of its first attempt."""

from types import SimpleNamespace

import pytest

from ingest.acceptance import RecordingReport, sent
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.errors import ConnectionNotAllowed, RequestRefused, SpoolChanged
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.ingest.decoded import DecodedEnvelope, Forwarder, OtherEvent
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.rpc.callers import Caller, Level
from intercomd_daemon.spool.memory import MemorySpool

DAY = 86_400.0
EDGE = Caller("edge", None, Level.NONE)
RULES = {name: ConnectionSettings(name=name) for name in ("default", "eu")}


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=1_760_000_000.5)


@pytest.fixture
def spool(clock: SimpleNamespace) -> MemorySpool:
    return MemorySpool(("default", "eu"), wall=lambda: clock.now, monotonic=lambda: clock.now)


@pytest.fixture
def acceptor(spool: MemorySpool, report: RecordingReport, clock: SimpleNamespace) -> Acceptor:
    return Acceptor(RULES, spool, TimestampAllocator(), report, lambda: clock.now, decide)


def batch(*names: str, **given: object) -> list[DecodedEnvelope]:
    return [sent(envelope_id=name, customer_id=f"u-{name}", **given) for name in names]


def results(decisions: list[Decision]) -> list[str]:
    return [decision.disposition.name for decision in decisions]


def rows(spool: MemorySpool) -> int:
    return sum(each.normal for each in spool.usage().connections.values())


async def pass_the_window(acceptor: Acceptor, clock: SimpleNamespace) -> None:
    """Lets the duplicate window forget everything that does not wait."""
    for number in range(3):
        clock.now += DAY + 1
        await acceptor.accept(batch(f"later-{number}", event_time=int(clock.now)))


async def end_all(spool: MemorySpool) -> None:
    for key in [*spool._rows]:
        spool._remove(key)


async def test_repeat_after_the_duplicate_window_gets_the_first_results(
    acceptor: Acceptor, spool: MemorySpool, clock: SimpleNamespace, report: RecordingReport
) -> None:
    await acceptor.accept(batch("b"))
    request = [*batch("a", "b"), *batch("c", event=OtherEvent("x")), *batch("d", email="nobody")]
    forwarder = Forwarder("agent-1", 7)
    first = await acceptor.accept(request, caller=EDGE, forwarder=forwarder)
    assert results(first) == ["ACCEPTED", "DUPLICATE", "SKIPPED", "REJECTED"]
    await end_all(spool)
    await pass_the_window(acceptor, clock)
    before = rows(spool)
    report.reported.clear()
    again = await acceptor.accept(request, caller=EDGE, forwarder=forwarder)
    assert results(again) == results(first)
    assert [each.violations for each in again] == [each.violations for each in first]
    assert rows(spool) == before
    await report.reported.wait()
    assert report.batches[-1] == [], "what was counted and logged once"


async def test_next_sequence_replaces_what_is_remembered(
    acceptor: Acceptor, spool: MemorySpool, clock: SimpleNamespace
) -> None:
    await acceptor.accept(batch("a"), caller=EDGE, forwarder=Forwarder("agent-1", 1))
    await acceptor.accept(batch("b"), caller=EDGE, forwarder=Forwarder("agent-1", 2))
    await end_all(spool)
    await pass_the_window(acceptor, clock)
    late = await acceptor.accept(batch("a"), caller=EDGE, forwarder=Forwarder("agent-1", 1))
    assert results(late) == ["ACCEPTED"]
    again = await acceptor.accept(batch("b"), caller=EDGE, forwarder=Forwarder("agent-1", 2))
    assert results(again) == ["ACCEPTED"]
    assert rows(spool) == 4, "the three of `pass_the_window`, and the late one"


async def test_repeat_with_further_envelopes_accepts_only_those(acceptor: Acceptor, spool: MemorySpool) -> None:
    forwarder = Forwarder("agent-1", 1)
    await acceptor.accept(batch("a", "b"), caller=EDGE, forwarder=forwarder)
    again = await acceptor.accept(batch("b", "c", "a"), caller=EDGE, forwarder=forwarder)
    assert results(again) == ["ACCEPTED"] * 3
    assert rows(spool) == 3
    third = await acceptor.accept(batch("b", "c", "a"), caller=EDGE, forwarder=forwarder)
    assert results(third) == ["DUPLICATE", "ACCEPTED", "DUPLICATE"]
    assert rows(spool) == 3


@pytest.mark.parametrize(
    ("caller", "forwarder"),
    [
        (Caller("other", None, Level.NONE), Forwarder("agent-1", 1)),
        (EDGE, Forwarder("agent-2", 1)),
        (EDGE, Forwarder("agent-1", 2)),
    ],
    ids=["caller", "agent", "sequence"],
)
async def test_results_belong_to_caller_agent_and_sequence(
    acceptor: Acceptor, caller: Caller, forwarder: Forwarder
) -> None:
    await acceptor.accept(batch("a"), caller=EDGE, forwarder=Forwarder("agent-1", 1))
    assert results(await acceptor.accept(batch("a"), caller=caller, forwarder=forwarder)) == ["DUPLICATE"]


async def test_connections_are_remembered_separately(acceptor: Acceptor) -> None:
    await acceptor.accept(batch("a"), caller=EDGE, forwarder=Forwarder("agent-1", 1))
    await acceptor.accept(batch("a", connection="eu"), caller=EDGE, forwarder=Forwarder("agent-1", 1))
    again = await acceptor.accept(batch("a"), caller=EDGE, forwarder=Forwarder("agent-1", 1))
    assert results(again) == ["ACCEPTED"]


async def test_forwarded_request_has_one_connection(acceptor: Acceptor, spool: MemorySpool) -> None:
    mixed = [*batch("a"), *batch("b", connection="eu")]
    with pytest.raises(RequestRefused, match="several connections"):
        await acceptor.accept(mixed, caller=EDGE, forwarder=Forwarder("agent-1", 1))
    assert rows(spool) == 0


async def test_other_spool_takes_nothing(acceptor: Acceptor, spool: MemorySpool) -> None:
    own = spool.usage().spool_id
    with pytest.raises(SpoolChanged) as error:
        await acceptor.accept(batch("a"), caller=EDGE, forwarder=Forwarder("agent-1", 1, "another"))
    assert (error.value.spool_id, rows(spool)) == (own, 0)
    taken = await acceptor.accept(batch("a"), caller=EDGE, forwarder=Forwarder("agent-1", 1, own))
    assert results(taken) == ["ACCEPTED"]


async def test_forbidden_connection_stays_forbidden(acceptor: Acceptor) -> None:
    caller = Caller("edge", frozenset({"eu"}), Level.NONE)
    with pytest.raises(ConnectionNotAllowed):
        await acceptor.accept(batch("a"), caller=caller, forwarder=Forwarder("agent-1", 1))
