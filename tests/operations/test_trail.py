"""ListTrail over a real channel: everything of a user or an envelope, newest first."""

from collections.abc import Awaitable, Callable

import pytest

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1 import outcome_pb2
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.connection_status import LaneState
from intercomd_daemon.envelope import Finding, Refusal
from intercomd_daemon.operations.page import ANSWER_BYTES_MAX
from intercomd_daemon.operations.trail import WAITING_CHUNK_MAX, Entry, TrailSource, fill_trail, read_waiting
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import WaitingRow

NOW = 1_700_000_100.0
Stub = OperationsServiceStub
End = Callable[..., Awaitable[Outcome]]
Wait = Callable[..., Awaitable[int]]


def refusal(name: str, time: float, customer_id: str = "c-1", **changes: object) -> Refusal:
    violations = (Finding("INVALID_EMAIL", "identity.email", "invalid email"),)
    fields = {"connection": "default", "email": "", "disposition": 4, "event_name": "order", **changes}
    return Refusal(time=time, envelope_id=name, customer_id=customer_id, violations=violations, **fields)  # type: ignore[arg-type]


def name_of(entry: messages.TrailEntry) -> str:
    kind = entry.WhichOneof("kind")
    content = entry.waiting.envelope if kind == "waiting" else getattr(entry, kind or "")
    return f"{kind} {content.envelope_id}"


async def names(stub: Stub, **wanted: object) -> list[str]:
    answer = await stub.ListTrail(messages.ListTrailRequest(**wanted))
    return [name_of(entry) for entry in answer.entries]


@pytest.fixture
async def filled(spool: MemorySpool, end: End, wait: Wait) -> None:
    """Two users, with something of each kind; an outcome ends at NOW, see `end`."""
    await wait("w-1", accept_time=NOW - 30.0)
    await wait("w-2", connection="eu", accept_time=NOW - 10.0, email="ann@example.com")
    await wait("w-3", customer_id="c-2")
    await end("d-1")
    await end("l-1", OutcomeType.DEAD_LETTERED, reason="EXPIRED")
    await end("d-2", customer_id="c-2", email="bob@example.com")
    spool.keep_refusals([refusal("r-1", NOW - 20.0), refusal("r-2", NOW - 5.0, "c-2", email="bob@example.com")])


ANN = ["outcome l-1", "outcome d-1", "waiting w-2", "refusal r-1", "waiting w-1"]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"customer_id": "c-1"}, ANN),
        ({"customer_id": "c-1", "connection": "eu"}, ["waiting w-2"]),
        ({"customer_id": "c-1", "connection": "nowhere"}, []),
        ({"email": "Ann@example.com"}, ["waiting w-2"]),
        ({"email": "bob@example.com"}, ["outcome d-2", "refusal r-2"]),
        ({"envelope_id": "w-1"}, ["waiting w-1"]),
        ({"envelope_id": "r-1"}, ["refusal r-1"]),
        ({"envelope_id": "l-1"}, ["outcome l-1"]),
        ({"envelope_id": "unknown"}, []),
    ],
)
async def test_trail_shows_everything_newest_first(stub: Stub, wanted: dict[str, str], expected: list[str]) -> None:
    assert await names(stub, **wanted) == expected


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("page_size", [1, 2, 4, 5, 100])
async def test_trail_is_listed_page_by_page(stub: Stub, page_size: int) -> None:
    listed: list[str] = []
    token = ""
    while token or not listed:
        asked = messages.ListTrailRequest(customer_id="c-1", page_size=page_size, page_token=token)
        answer = await stub.ListTrail(asked)
        assert len(answer.entries) <= page_size
        listed += [name_of(entry) for entry in answer.entries]
        token = answer.next_page_token
    assert listed == ANN


@pytest.mark.usefixtures("filled")
async def test_entries_say_what_is_known(stub: Stub) -> None:
    answer = await stub.ListTrail(messages.ListTrailRequest(customer_id="c-1"))
    letter, _, waiting, refused, _ = answer.entries
    assert letter.outcome.type == outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
    assert letter.dead_letter_id == str(letter.outcome.sequence)
    assert (waiting.waiting.connection, waiting.waiting.reason, waiting.waiting.ahead) == ("eu", "WAITING_TURN", 0)
    assert waiting.time == waiting.waiting.accept_time
    assert (refused.refusal.disposition, refused.refusal.event_name) == (4, "order")
    assert [violation.reason for violation in refused.refusal.violations] == ["INVALID_EMAIL"]
    assert refused.refusal.identity.customer_id == "c-1"
    assert refused.time.seconds == int(NOW) - 20


@pytest.mark.usefixtures("filled")
async def test_waiting_envelope_shows_the_failures_of_its_user(stub: Stub, scripted: object) -> None:
    scripted.lanes["c:c-1"] = LaneState(False, 3, NOW + 7.0, 3, 500, "track event: HTTP_500")  # type: ignore[attr-defined]
    (entry,) = (await stub.ListTrail(messages.ListTrailRequest(envelope_id="w-1"))).entries
    waiting = entry.waiting
    assert (waiting.reason, waiting.attempts, waiting.http_status) == ("RETRYING", 3, 500)
    assert (waiting.next_attempt_time.seconds, waiting.last_error) == (int(NOW) + 7, "track event: HTTP_500")


@pytest.mark.usefixtures("filled")
async def test_dead_letters_are_listed_newest_first_with_counts(stub: Stub, end: End) -> None:
    await end("l-2", OutcomeType.DEAD_LETTERED, reason="EXPIRED")
    await end("l-3", OutcomeType.DEAD_LETTERED, reason="CONTACT_BLOCKED")
    asked = messages.ListDeadLettersRequest(newest_first=True, page_size=2)
    first = await stub.ListDeadLetters(asked)
    assert [letter.outcome.envelope_id for letter in first.dead_letters] == ["l-3", "l-2"]
    assert [(each.reason, each.count) for each in first.counts] == [("EXPIRED", 2), ("CONTACT_BLOCKED", 1)]
    assert first.total_count == 3
    asked.page_token = first.next_page_token
    second = await stub.ListDeadLetters(asked)
    assert [letter.outcome.envelope_id for letter in second.dead_letters] == ["l-1"]
    assert second.next_page_token == ""


def source(*times: float, size: int = 1) -> TrailSource:
    """A source whose entries are numbered downwards from 100, and read two at a time."""
    entries = [
        Entry(time, 100 - number, messages.TrailEntry(refusal=messages.Refusal(event_name="x" * size)))
        for number, time in enumerate(times)
    ]

    async def read(place: int) -> list[Entry]:
        return [entry for entry in entries if not place or entry.place < place][:2]

    return TrailSource(read, 0)


async def test_page_continues_where_each_source_was_left() -> None:
    page, places = await fill_trail([source(9.0, 7.0, 5.0), source(8.0, 1.0), source()], 3)
    assert (len(page), places) == (3, (99, 100, 0))
    page, places = await fill_trail([source(9.0), source(8.0)], 2)
    assert (len(page), places) == (2, (0, 0))


async def test_page_ends_before_it_is_too_large_but_has_an_entry() -> None:
    page, places = await fill_trail([source(9.0, 8.0, 7.0, size=ANSWER_BYTES_MAX // 2)], 10)
    assert (len(page), places) == (1, (100,))
    page, _ = await fill_trail([source(9.0, size=2 * ANSWER_BYTES_MAX)], 10)
    assert len(page) == 1


async def test_waiting_envelopes_that_end_meanwhile_are_left_out(spool: MemorySpool, wait: Wait) -> None:
    """A read in which all have ended is not the end of the list."""
    keys = [await wait(str(number)) for number in range(40)][::-1]
    ended = [*range(10_000, 10_000 + WAITING_CHUNK_MAX), *keys]

    def encode(found: WaitingRow) -> messages.TrailEntry:
        return messages.TrailEntry(dead_letter_id=str(found.row.key))

    page, _ = await fill_trail([TrailSource(read_waiting(spool, ended, encode), 0)], 100)
    assert [int(entry.dead_letter_id) for entry in page] == keys
