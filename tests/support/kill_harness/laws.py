"""Checks the invariants at the end of a run of kills: the journal, events and contacts of one era's users.

Each function raises an AssertionError if an invariant is broken, and counts in `laws` how many things it checked.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from intercomd.v1.outcome_pb2 import Outcome, OutcomeType
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.sandbox.events import Event
from kill_harness.plan import Arrival, User, arrivals, held, is_bulk, number_of
from kill_harness.producers import Notes
from senders.client import NOON

DEAD_LETTERED = OutcomeType.OUTCOME_TYPE_DEAD_LETTERED
ENDED_WELL = {OutcomeType.OUTCOME_TYPE_DELIVERED, OutcomeType.OUTCOME_TYPE_UNCHANGED}
REFUSED_STATUSES = {409, 422}
"""What the sandbox refuses with on demand, so that there are dead letters: there must be no others."""

Laws = Counter[str]


def check_outcomes(outcomes: Sequence[Outcome], notes: Notes, laws: Laws) -> None:
    """Each accepted envelope has one row, each dead letter that was replayed one more, and nothing else has any."""
    rows: dict[int, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        rows[outcome.replay].append(outcome)
    first = Counter(outcome.envelope_id for outcome in rows.pop(0, []))
    assert notes.accepted == notes.sent - notes.turned_away, "every envelope was answered"
    assert first.keys() == notes.accepted, first.keys() ^ notes.accepted
    assert set(first.values()) == {1}, first.most_common(3)
    again = Counter(outcome.envelope_id for outcome in rows.pop(1, []))
    assert again.keys() == set(dead(outcomes))
    assert set(again.values()) <= {1}, again.most_common(3)
    assert not rows
    for outcome in outcomes:
        assert outcome.type in ENDED_WELL or not outcome.replay, outcome
        assert outcome.type in ENDED_WELL or _was_refused(outcome), outcome
    sequences = [outcome.sequence for outcome in outcomes]
    assert all(one < other for one, other in pairwise(sequences))
    laws["an accepted envelope has exactly one row"] += len(first)
    laws["a dead letter has one more row, replayed"] += len(again)


def dead(outcomes: Sequence[Outcome]) -> list[str]:
    """The envelopes that became dead letters."""
    return [outcome.envelope_id for outcome in outcomes if outcome.type == DEAD_LETTERED]


def _was_refused(outcome: Outcome) -> bool:
    refused = [effect.http_status for effect in outcome.effects if effect.type == DEAD_LETTERED]
    return outcome.type == DEAD_LETTERED and bool(refused) and REFUSED_STATUSES.issuperset(refused)


def check_arrivals(counts: Mapping[User, int], refused: Collection[str], sandbox: Sandbox, laws: Laws) -> None:
    """Each user's events are there once, with the very content, in order, and there are no others.

    A dead letter's events came when it was replayed, and only of them no order is asked.
    """
    (era,) = {user.era for user in counts}
    arrived: dict[str, list[Arrival]] = defaultdict(list)
    for event in sandbox.events:
        if (name := name_of(event)).startswith(f"user-{era}-"):
            arrived[name].append((event.name, event.created_at - NOON, event.metadata))
    for user, count in counts.items():
        events = arrived.pop(user.name, [])
        expected = {(name, at): said for number in range(count) for name, at, said in arrivals(number)}
        assert len(events) == len({event[:2] for event in events}), f"twice, of {user}"
        assert {(name, at): said for name, at, said in events} == expected, user
        kept = [at for _, at, _ in events if user.envelope_id(number_of(at)) not in refused]
        for bulk in (False, True):
            order = [at for at in kept if is_bulk(number_of(at)) is bulk]
            assert order == sorted(order), f"out of order, of {user}"
        laws["an event arrived once with its content"] += len(events)
        laws["an event arrived after those before it"] += len(kept)
    assert not arrived, "events of another user"


def name_of(event: Event) -> str:
    """The name of the user whose event it is."""
    return event.external_id or event.email or ""


def check_repeats(events: Iterable[Event], starts: Sequence[float], answers_lost: int, laws: Laws) -> None:
    """A user's event came again once for each start of the daemon at most, or because an answer was lost on the way.

    `starts` are in Unix seconds, in order. The end of the process before is no measure: the last calls that it made
    may arrive after it.
    """
    arrived: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for event in events:
        arrived[name_of(event), event.name, event.created_at].append(event.received_at)
    by_start: Counter[tuple[str, int]] = Counter()
    without_start = 0
    for (name, _, _), times in arrived.items():
        for one, again in pairwise(sorted(times)):
            start = bisect_right(starts, one)
            if start < len(starts) and starts[start] < again:
                by_start[name, start] += 1
            else:
                without_start += 1
    assert without_start <= answers_lost, f"{without_start} repeats without a start, {answers_lost} lost answers"
    assert set(by_start.values()) <= {1}, by_start.most_common(3)
    laws["a kill repeated no more than one call of a user"] += len(by_start)


def check_contacts(counts: Mapping[User, int], outcomes: Sequence[Outcome], sandbox: Sandbox, laws: Laws) -> None:
    """Each user is one contact, with the last values that were said.

    Where a 409 on demand met the update that would have made the email's contact the user's, that contact still has
    the email, and the outcome says so.
    """
    reported = {
        outcome.identity.customer_id
        for outcome in outcomes
        if any(note.reason == "EMAIL_TAKEN" for note in outcome.adjustments)
    }
    contacts = {contact.external_id or contact.email: contact for contact in sandbox.contacts}
    assert len(contacts) == len(sandbox.contacts)
    for user, count in counts.items():
        contact = contacts[user.name]
        assert contact.custom_attributes == held(user, count), f"{user}, after {count}"
        taken = user.customer_id in reported and not contact.email and user.email in contacts
        assert not user.email or contact.email == user.email or taken, user
        laws["a contact is one, with the last values"] += 1
    assert sandbox.illegal_requests == []
