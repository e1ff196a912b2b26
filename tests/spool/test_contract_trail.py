"""What every engine promises of the trail: waiting rows, outcomes and refusals of a user or an envelope."""

from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Priority, Refusal, lane_of
from intercomd_daemon.outcome import Progress
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.rows import Completion, DeadLetterFilter, Incoming, Settlement, position_of
from intercomd_daemon.spool.trail import TrailFilter

Make = Callable[..., Incoming]
End = Callable[..., Completion]
Open = Callable[..., Awaitable[Spool]]
Envelope = Callable[..., AcceptedEnvelope]


@pytest.fixture
def person(envelope: Envelope) -> Make:
    """Makes a row of a user with a customer id, an email, or both."""

    def make(name: str, customer_id: str, email: str = "", **changes: object) -> Incoming:
        data = record.pack(replace(envelope(name, customer_id), email=email))
        columns = {"connection": "default", "priority": Priority.NORMAL, "lane": lane_of(customer_id, email)}
        columns |= {"email": email, **changes}
        return Incoming(envelope_id=name, data=columns.pop("data", data), **columns)

    return make


def refusal(name: str, customer_id: str = "ann", **changes: object) -> Refusal:
    fields = {"time": 1_750_000_000.0, "connection": "default", "email": "", "disposition": 4, **changes}
    violations = (Finding("INVALID_EMAIL", "identity.email", "invalid email"),)
    return Refusal(
        **{"violations": violations, "event_name": "order", **fields}, envelope_id=name, customer_id=customer_id
    )


async def found(spool: Spool, wanted: TrailFilter, before: int = 0, limit: int = 100) -> list[str]:
    rows = await spool.waiting_rows(await spool.find_waiting(wanted, before, limit))
    return [record.unpack(each.row.data, AcceptedEnvelope).envelope_id for each in rows]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (TrailFilter(customer_id="ann"), ["7", "5", "4", "1"]),
        (TrailFilter(customer_id="ann", connection="eu"), ["7", "5", "1"]),
        (TrailFilter(customer_id="ann", connection="nowhere"), []),
        (TrailFilter(customer_id="an"), []),
        (TrailFilter(email="ann@example.com"), ["5", "2"]),
        (TrailFilter(email="nn@example.com"), []),
        (TrailFilter(customer_id="ann", email="ann@example.com"), ["7", "5", "4", "2", "1"]),
        (TrailFilter(customer_id="bob", email="ann@example.com"), ["5", "3", "2"]),
        (TrailFilter(envelope_id="3"), ["3"]),
        (TrailFilter(envelope_id="3", customer_id="ann"), []),
        (TrailFilter(envelope_id="0197a8e0-0000-7000-8000-000000000001"), ["0197a8e0-0000-7000-8000-000000000001"]),
    ],
)
async def test_waiting_rows_are_found_newest_first_wherever_they_are(
    open_engine: Open, person: Make, wanted: TrailFilter, names: list[str]
) -> None:
    spool = await open_engine(connections=("eu", "us"))
    rows = [
        person("1", "ann", connection="eu"),
        person("2", "", "ann@example.com", connection="eu"),
        person("3", "bob", "bob@example.com", connection="us"),
        person("4", "ann", connection="us", priority=Priority.BULK),
        person("5", "ann", "ann@example.com", connection="eu", priority=Priority.BULK),
        person("6", "cid", connection="eu"),
        person("7", "ann", connection="eu"),
        person("0197a8e0-0000-7000-8000-000000000001", "dan", connection="us"),
    ]
    keys = await spool.append(rows)
    await spool.park("eu", "c:ann", [keys[0], keys[4]], 0.0, 1)
    await spool.park("us", "c:bob", [keys[2]], 0.0, 1)
    assert await found(spool, wanted) == names
    assert await found(spool, wanted, limit=2) == names[:2]


async def test_waiting_rows_are_found_page_by_page(spool: Spool, person: Make) -> None:
    names = [str(number) for number in range(7)]
    keys = await spool.append([person(name, "ann") for name in names])
    await spool.park("default", "c:ann", keys[:3], 0.0, 1)
    pages: list[str] = []
    before = 0
    while keys := await spool.find_waiting(TrailFilter(customer_id="ann"), before, 2):
        pages += [record.unpack(each.row.data, AcceptedEnvelope).envelope_id for each in await spool.waiting_rows(keys)]
        before = position_of(keys[-1])
    assert pages == names[::-1]


async def test_rows_that_have_ended_or_are_corrupt_are_not_waiting(spool: Spool, person: Make, ended: End) -> None:
    foreign = record.pack(Progress())  # Sound, but of another release.
    rows = [person("1", "ann"), person("2", "ann"), person("3", "ann", data=b"\x02corrupt")]
    keys = await spool.append([*rows, person("4", "ann", data=foreign)])
    await spool.settle([Settlement("default", [ended(keys[0], "1")])])
    assert await found(spool, TrailFilter(customer_id="ann")) == ["2"]
    assert await found(spool, TrailFilter(envelope_id="4")) == []
    assert [each.row.key for each in await spool.waiting_rows(keys)] == [keys[1]]
    assert await spool.waiting_rows([]) == []


async def test_waiting_row_has_its_place_its_progress_and_its_lanes_due_time(spool: Spool, person: Make) -> None:
    keys = await spool.append([person(name, user) for name, user in (("1", "ann"), ("2", "bob"), ("3", "ann"))])
    tried = record.pack(Progress(attempts=3, http_status=500))
    await spool.settle([Settlement("default", progress=[(keys[0], tried)])])
    first, last = await spool.waiting_rows([keys[0], keys[2]])
    assert (first.ahead, first.parked, first.row.progress, first.head_progress) == (0, False, tried, b"")
    assert (last.connection, last.ahead, last.parked, last.due, last.attempts) == ("default", 2, False, 0.0, 0)
    await spool.park("default", "c:ann", [keys[0], keys[2]], 1_750_000_060.0, 4)
    last, other = await spool.waiting_rows([keys[2], keys[1]])
    assert (last.ahead, last.parked, last.due, last.attempts) == (1, True, 1_750_000_060.0, 4)
    assert (last.row.progress, last.head_progress) == (b"", tried)
    assert (other.ahead, other.parked, other.row.lane) == (0, False, "c:bob")


async def test_outcomes_of_a_user_are_listed_with_their_dead_letters(
    open_engine: Open, person: Make, ended: End
) -> None:
    spool = await open_engine(outcomes_max=3)
    names = ("1", "2", "3", "4", "5")
    keys = await spool.append([person(name, "bob" if name == "4" else "ann") for name in names])
    for key, name in zip(keys, names, strict=True):
        end = ended(key, name, "bob" if name == "4" else "ann", reason="" if name == "3" else "BAD")
        await spool.settle([Settlement("default", [end])])
    wanted = TrailFilter(customer_id="ann")
    # Outcomes 1 and 2 have left the journal; their dead letters have not.
    listed = await spool.trail_outcomes(wanted, 0, 10)
    assert [(each.outcome.sequence, each.dead_letter) for each in listed] == [
        (5, True),
        (3, False),
        (2, True),
        (1, True),
    ]
    assert [each.outcome.sequence for each in await spool.trail_outcomes(wanted, 0, 3)] == [5, 3, 2]
    assert [each.outcome.sequence for each in await spool.trail_outcomes(wanted, 3, 1)] == [2]
    assert [each.outcome.sequence for each in await spool.trail_outcomes(wanted, 2, 9)] == [1]
    await spool.replay(DeadLetterFilter(envelope_ids=("5",)), 1)
    listed = await spool.trail_outcomes(TrailFilter(envelope_id="5"), 0, 10)
    assert [(each.outcome.sequence, each.dead_letter) for each in listed] == [(5, False)]


@pytest.mark.parametrize(
    ("wanted", "sequences"),
    [
        (TrailFilter(customer_id="ann"), [4, 1]),
        (TrailFilter(email="ann@example.com"), [4, 2]),
        (TrailFilter(customer_id="ann", email="ann@example.com"), [4, 2, 1]),
        (TrailFilter(customer_id="ann", email="ann@example.com", connection="us"), [4]),
        (TrailFilter(envelope_id="3"), [3]),
    ],
)
async def test_outcomes_are_found_by_either_identity(
    open_engine: Open, person: Make, ended: End, wanted: TrailFilter, sequences: list[int]
) -> None:
    spool = await open_engine(connections=("eu", "us"))
    people = [("1", "ann", "", "eu"), ("2", "", "ann@example.com", "eu"), ("3", "bob", "", "us")]
    people.append(("4", "ann", "ann@example.com", "us"))
    keys = await spool.append([person(name, user, mail, connection=place) for name, user, mail, place in people])
    for key, (name, user, mail, place) in zip(keys, people, strict=True):
        end = ended(key, name, user, connection=place)
        await spool.settle([Settlement(place, [replace(end, outcome=replace(end.outcome, email=mail))])])
    assert [each.outcome.sequence for each in await spool.trail_outcomes(wanted, 0, 10)] == sequences


async def test_outcomes_are_found_among_many(spool: Spool, person: Make, ended: End) -> None:
    """More than an engine searches at once."""
    names = [str(number) for number in range(1_200)]
    keys = await spool.append([person(name, "ann" if name == "3" else "bob") for name in names])
    ends = [
        ended(key, name, "ann" if name == "3" else "bob", reason="BAD") for key, name in zip(keys, names, strict=True)
    ]
    await spool.settle([Settlement("default", ends)])
    (kept,) = await spool.trail_outcomes(TrailFilter(customer_id="ann"), 0, 10)
    assert kept.outcome.envelope_id == "3"
    newest = await spool.newest_dead_letters(DeadLetterFilter(customer_id="ann"), 0, 10)
    assert [letter.outcome.envelope_id for letter in newest] == ["3"]


async def test_dead_letters_are_listed_newest_first_and_counted_by_reason(
    spool: Spool, person: Make, ended: End
) -> None:
    keys = await spool.append([person(str(number), "ann") for number in range(4)])
    reasons = ["BAD", "EXPIRED", "BAD", "ARCHIVED"]
    ends = [ended(key, str(place), reason=reasons[place]) for place, key in enumerate(keys)]
    await spool.settle([Settlement("default", ends)])
    everything = DeadLetterFilter()

    def ids(letters: Sequence[object]) -> list[int]:
        return [letter.dead_letter_id for letter in letters]  # type: ignore[attr-defined]

    assert ids(await spool.newest_dead_letters(everything, 0, 3)) == [4, 3, 2]
    assert ids(await spool.newest_dead_letters(everything, 2, 3)) == [1]
    assert ids(await spool.newest_dead_letters(DeadLetterFilter(reason="BAD"), 0, 9)) == [3, 1]
    assert list((await spool.count_dead_letters_by_reason(everything)).items()) == [
        ("BAD", 2),
        ("ARCHIVED", 1),
        ("EXPIRED", 1),
    ]
    assert await spool.count_dead_letters_by_reason(DeadLetterFilter(customer_id="bob")) == {}


async def test_refusals_are_listed_newest_first_and_forgotten_with_age(
    open_engine: Open, clock: SimpleNamespace
) -> None:
    spool = await open_engine(outcomes_kept_seconds=100.0)
    spool.keep_refusals([refusal("1"), refusal("2", "bob"), refusal("3", time=clock.wall + 50.0)])
    wanted = TrailFilter(customer_id="ann")
    listed = await spool.refusals(wanted, 0, 10)
    assert [each.envelope_id for each in listed] == ["3", "1"]
    assert await spool.refusals(wanted, listed[0].number, 10) == listed[1:]
    assert await spool.refusals(wanted, 0, 1) == listed[:1]
    clock.wall += 120.0
    assert await spool.refusals(wanted, 0, 10) == listed[:1]


@pytest.mark.fills("spool.refusals_max")
async def test_newest_refusals_are_kept(open_engine: Open) -> None:
    spool = await open_engine(refusals_max=3)
    spool.keep_refusals([refusal(str(number)) for number in range(5)])
    assert [each.envelope_id for each in await spool.refusals(TrailFilter(), 0, 10)] == ["4", "3", "2"]
