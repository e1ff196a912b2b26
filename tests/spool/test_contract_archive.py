"""What every engine promises of outcomes, dead letters, replays and pauses."""

from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.outcome import DeadLetter, Outcome, OutcomeType
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.record import unpack
from intercomd_daemon.spool.rows import Completion, DeadLetterFilter, Incoming, OutcomeFilter, Settlement, position_of

Make = Callable[..., Incoming]
End = Callable[..., Completion]
Open = Callable[..., Awaitable[Spool]]

ALL = (1_000, 1 << 20)
EVERYTHING = DeadLetterFilter()


async def bury(spool: Spool, row: Make, ended: End, names: Sequence[str], **changes: object) -> list[int]:
    """Appends an envelope per name, of the customer of that name, and ends each as a dead letter."""
    connection = str(changes.get("connection", "default"))
    keys = await spool.append([row(name, name, connection=connection) for name in names])
    reasons = {"reason": "REFUSED", **changes}
    ends = [ended(key, name, name, **reasons) for key, name in zip(keys, names, strict=True)]
    await spool.settle([Settlement(connection, ends)])
    return keys


async def letters_of(spool: Spool, wanted: DeadLetterFilter = EVERYTHING) -> list[DeadLetter]:
    return await spool.dead_letters(wanted, 0, 100)


async def test_journal_is_read_in_pages_in_both_orders(spool: Spool, row: Make, ended: End) -> None:
    keys = await spool.append([row(str(number)) for number in range(5)])
    outcomes = await spool.settle([Settlement("default", [ended(key, str(number))]) for number, key in enumerate(keys)])
    anything = OutcomeFilter()
    assert await spool.outcomes(anything, 0, 2) == [outcomes[4], outcomes[3]]
    assert await spool.outcomes(anything, outcomes[3].sequence, 9) == [outcomes[2], outcomes[1], outcomes[0]]
    assert await spool.outcomes_after(anything, 0, 2) == (outcomes[:2], 1)
    assert await spool.outcomes_after(anything, outcomes[1].sequence, 9) == (outcomes[2:], 1)
    assert await spool.outcomes_after(anything, outcomes[4].sequence, 9) == ([], 1)


async def test_empty_journal_returns_no_outcomes_and_no_oldest(spool: Spool) -> None:
    assert await spool.outcomes(OutcomeFilter(), 0, 10) == []
    assert await spool.outcomes_after(OutcomeFilter(), 0, 10) == ([], 0)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (OutcomeFilter(), ["1", "2", "3"]),
        (OutcomeFilter(connection="us"), ["3"]),
        (OutcomeFilter(connection="nowhere"), []),
        (OutcomeFilter(envelope_id="2"), ["2"]),
        (OutcomeFilter(customer_id="ann"), ["1", "3"]),
        (OutcomeFilter(customer_id="ann", connection="eu"), ["1"]),
        (OutcomeFilter(email="bob@example.com"), []),
        (OutcomeFilter(types=(OutcomeType.DEAD_LETTERED,)), ["2"]),
        (OutcomeFilter(types=(OutcomeType.DELIVERED, OutcomeType.UNCHANGED)), ["1", "3"]),
    ],
)
async def test_outcomes_are_found_by_what_the_filter_names(
    open_engine: Open, row: Make, ended: End, wanted: OutcomeFilter, names: list[str]
) -> None:
    spool = await open_engine(connections=("eu", "us"))
    rows = [row("1", "ann", connection="eu"), row("2", "bob", connection="eu"), row("3", "ann", connection="us")]
    keys = await spool.append(rows)
    ends = [ended(keys[0], "1", "ann", connection="eu"), ended(keys[1], "2", "bob", connection="eu", reason="BAD")]
    await spool.settle([Settlement("eu", ends), Settlement("us", [ended(keys[2], "3", "ann", connection="us")])])
    assert [each.envelope_id for each in (await spool.outcomes_after(wanted, 0, 10))[0]] == names
    assert [each.envelope_id for each in await spool.outcomes(wanted, 0, 10)] == names[::-1]


@pytest.mark.fills("spool.outcomes_max")
async def test_journal_deletes_the_oldest_outcomes_beyond_its_bound(open_engine: Open, row: Make, ended: End) -> None:
    spool = await open_engine(outcomes_max=3)
    for number in range(5):
        (key,) = await spool.append([row(str(number))])
        await spool.settle([Settlement("default", [ended(key, str(number))])])
    outcomes, oldest = await spool.outcomes_after(OutcomeFilter(), 0, 10)
    assert ([each.sequence for each in outcomes], oldest) == ([3, 4, 5], 3)


async def test_journal_forgets_outcomes_that_are_older_than_it_keeps(
    open_engine: Open, row: Make, ended: End, clock: SimpleNamespace
) -> None:
    spool = await open_engine(outcomes_kept_seconds=100.0)
    start = clock.wall
    for number in range(4):
        (key,) = await spool.append([row(str(number))])
        clock.wall = start + number * 50.0
        end = ended(key, str(number))
        await spool.settle([Settlement("default", [replace(end, outcome=replace(end.outcome, end_time=clock.wall))])])
    assert await sequences_and_start(spool) == ([2, 3, 4], 2)
    clock.wall = start + 200.5
    assert await sequences_and_start(spool) == ([4], 4)
    assert [outcome.sequence for outcome in await spool.outcomes(OutcomeFilter(), 0, 10)] == [4]
    clock.wall = start + 1_000.0
    assert await sequences_and_start(spool) == ([], 5)
    await spool.append([row("later")])
    clock.wall = start + 160.0
    assert await sequences_and_start(spool) == ([], 5)


async def sequences_and_start(spool: Spool) -> tuple[list[int], int]:
    outcomes, start = await spool.outcomes_after(OutcomeFilter(), 0, 10)
    return [outcome.sequence for outcome in outcomes], start


async def test_dead_letter_is_the_envelope_its_outcome_and_the_answer(spool: Spool, row: Make, ended: End) -> None:
    keys = await bury(spool, row, ended, ["ann", "bob"])
    letters = await letters_of(spool)
    assert [letter.envelope.customer_id for letter in letters] == ["ann", "bob"]
    assert [letter.envelope.origin for letter in letters] == [position_of(key) for key in keys]
    assert letters[0].outcome == (await spool.outcomes_after(OutcomeFilter(), 0, 1))[0][0]
    assert letters[0].answer_body == "no such event"
    assert await spool.dead_letters(EVERYTHING, letters[0].dead_letter_id, 9) == letters[1:]
    assert await spool.dead_letters(EVERYTHING, 0, 1) == letters[:1]
    usage = spool.usage().connections["default"]
    assert (usage.dead_letters, usage.normal) == (2, 0)
    assert usage.bytes > 0


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (DeadLetterFilter(), ["1", "2", "3"]),
        (DeadLetterFilter(connection="us"), ["3"]),
        (DeadLetterFilter(dead_letter_ids=(1, 3)), ["1", "3"]),
        (DeadLetterFilter(envelope_ids=("2", "3", "4")), ["2", "3"]),
        (DeadLetterFilter(customer_id="2"), ["2"]),
        (DeadLetterFilter(email="other@example.com"), []),
        (DeadLetterFilter(reason="EXPIRED"), ["2"]),
        (DeadLetterFilter(accept_time_from=200.0), ["2", "3"]),
        (DeadLetterFilter(accept_time_from=100.0, accept_time_to=200.0), ["1"]),
        (DeadLetterFilter(connection="eu", reason="EXPIRED", customer_id="1"), []),
    ],
)
async def test_dead_letters_are_found_by_what_the_filter_names(
    open_engine: Open, row: Make, ended: End, wanted: DeadLetterFilter, names: list[str]
) -> None:
    spool = await open_engine(connections=("eu", "us"))
    await bury(spool, row, ended, ["1"], connection="eu", accept_time=100.0)
    await bury(spool, row, ended, ["2"], connection="eu", accept_time=200.0, reason="EXPIRED")
    await bury(spool, row, ended, ["3"], connection="us", accept_time=300.0)
    assert [letter.envelope.envelope_id for letter in await letters_of(spool, wanted)] == names
    assert await spool.count_dead_letters(wanted) == len(names)


async def test_replay_appends_refused_calls_in_order_and_deletes_the_letters(
    spool: Spool, row: Make, ended: End
) -> None:
    old = await spool.append([row("1", "ann"), row("2", "bob", priority=Priority.BULK), row("3", "cid")])
    for key, name, customer in ((old[2], "3", "cid"), (old[1], "2", "bob"), (old[0], "1", "ann")):
        await spool.settle([Settlement("default", [ended(key, name, customer, reason="BAD")])])
    assert await spool.replay(EVERYTHING, 3) == 3
    batch = await spool.read("default", Priority.NORMAL, 0, *ALL)
    envelopes = [unpack(each.data, AcceptedEnvelope) for each in batch.rows]
    assert [envelope.envelope_id for envelope in envelopes] == ["1", "3"]
    assert [position_of(each.key) > 3 for each in batch.rows] == [True, True]
    assert [each.lane for each in batch.rows] == ["c:ann", "c:cid"]
    assert [(each.contact_update, len(each.events), each.replay, each.origin) for each in envelopes] == [
        (None, 1, 1, 1),
        (None, 1, 1, 3),
    ]
    assert len((await spool.read("default", Priority.BULK, 0, *ALL)).rows) == 1
    assert await letters_of(spool) == []
    assert spool.usage().connections["default"].dead_letters == 0
    assert len(await spool.outcomes(OutcomeFilter(), 0, 10)) == 3


async def test_replay_refused_again_keeps_the_first_position(spool: Spool, row: Make, ended: End) -> None:
    await bury(spool, row, ended, ["ann"])
    assert await spool.replay(EVERYTHING, 1) == 1
    (again,) = (await spool.read("default", Priority.NORMAL, 0, *ALL)).rows
    end = replace(ended(again.key, "ann", "ann", reason="BAD"), dead_letter=unpack(again.data, AcceptedEnvelope))
    await spool.settle([Settlement("default", [end])])
    (letter,) = await letters_of(spool)
    assert (letter.envelope.origin, letter.envelope.replay) == (1, 1)


async def test_replayed_envelope_stays_in_the_duplicate_window(spool: Spool, row: Make, ended: End) -> None:
    await bury(spool, row, ended, ["ann"])
    await spool.replay(EVERYTHING, 1)
    assert await spool.append([row("ann", "ann")]) == [0]


async def test_discarding_replaces_the_outcome(spool: Spool, row: Make, ended: End, clock: SimpleNamespace) -> None:
    await bury(spool, row, ended, ["ann", "bob"])
    assert await spool.discard(DeadLetterFilter(customer_id="ann"), 1) == 1
    (letter,) = await letters_of(spool)
    assert letter.envelope.customer_id == "bob"
    newest, other = await spool.outcomes(OutcomeFilter(), 0, 10)
    assert (newest.type, newest.customer_id, newest.sequence) == (OutcomeType.DISCARDED, "ann", 3)
    assert newest.end_time == clock.wall
    assert (other.type, other.customer_id) == (OutcomeType.DEAD_LETTERED, "bob")


async def test_discards_are_reported_as_the_journal_holds_them(spool: Spool, row: Make, ended: End) -> None:
    reported: list[Outcome] = []
    spool.on_discard(reported.extend)
    await bury(spool, row, ended, ["ann", "bob", "cid"])
    await spool.replay(DeadLetterFilter(customer_id="bob"), 1)
    assert await spool.discard(EVERYTHING, 1) == -1
    assert reported == []
    assert await spool.discard(EVERYTHING, 2) == 2
    assert reported == (await spool.outcomes_after(OutcomeFilter(types=(OutcomeType.DISCARDED,)), 0, 10))[0]
    assert [outcome.customer_id for outcome in reported] == ["ann", "cid"]


async def test_many_letters_are_taken_once_each_in_order(spool: Spool, row: Make, ended: End) -> None:
    """More than an engine takes in one commit."""
    reported: list[Outcome] = []
    spool.on_discard(reported.extend)
    names = [str(number) for number in range(1_100)]
    await bury(spool, row, ended, names)
    assert await spool.replay(EVERYTHING, 1_100) == 1_100
    rows = (await spool.read("default", Priority.NORMAL, 0, 2_000, 1 << 30)).rows
    assert [unpack(each.data, AcceptedEnvelope).envelope_id for each in rows] == names
    ends = [ended(each.key, name, name, reason="BAD") for each, name in zip(rows, names, strict=True)]
    await spool.settle([Settlement("default", ends)])
    assert await spool.discard(EVERYTHING, 1_100) == 1_100
    assert [outcome.envelope_id for outcome in reported] == names
    assert spool.usage().bytes == 0


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_replay_and_discard_require_the_expected_count(
    spool: Spool, row: Make, ended: End, expected: int
) -> None:
    await bury(spool, row, ended, ["ann", "bob"])
    assert await spool.replay(EVERYTHING, expected) == -1
    assert await spool.discard(EVERYTHING, expected) == -1
    assert await spool.count_dead_letters(EVERYTHING) == 2
    assert (await spool.read("default", Priority.NORMAL, 0, *ALL)).rows == []


async def test_replays_and_discards_free_the_quota(spool: Spool, row: Make, ended: End) -> None:
    await bury(spool, row, ended, ["ann", "bob"])
    await spool.discard(DeadLetterFilter(customer_id="ann"), 1)
    await spool.replay(EVERYTHING, 1)
    (again,) = (await spool.read("default", Priority.NORMAL, 0, *ALL)).rows
    await spool.settle([Settlement("default", [ended(again.key, "bob", "bob")])])
    assert spool.usage().bytes == 0


async def test_waiting_envelope_is_found_by_its_id(spool: Spool, row: Make, ended: End) -> None:
    uuid = "0197a8e0-0000-7000-8000-000000000001"
    rows = [row("1", "ann"), row("2", "bob"), row("3", "cid", recognised=False), row(uuid, "dan")]
    keys = await spool.append([*rows, row("5", "bob", recognised=False)])
    await spool.park("default", "c:bob", [keys[1], keys[4]], 0.0, 1)
    await spool.settle([Settlement("default", [ended(keys[0], "1")])])
    found = {name: await spool.waiting("default", name) for name in ("1", "2", "3", uuid, "5", "6")}
    assert {name: each.customer_id for name, each in found.items() if each} == {
        "2": "bob",
        "3": "cid",
        uuid: "dan",
        "5": "bob",
    }
    assert await spool.waiting("elsewhere", "2") is None


async def test_paused_connections_are_remembered(open_engine: Open) -> None:
    spool = await open_engine(connections=("eu", "us"))
    assert await spool.paused() == frozenset()
    await spool.set_paused("us", True)
    await spool.set_paused("eu", True)
    await spool.set_paused("eu", False)
    assert await spool.paused() == {"us"}
