"""Compares what the demo observed with what was expected."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple

from intercomd_daemon.cli.demo.builders import FieldValue, FinalState, Step
from intercomd_daemon.cli.demo.observations import Observations, ReceivedEvent


class CallCounts(NamedTuple):
    """Numbers of calls."""

    contacts: int = 0
    events: int = 0

    def __add__(self, other: object) -> "CallCounts":
        if not isinstance(other, CallCounts):
            return NotImplemented
        return CallCounts(self.contacts + other.contacts, self.events + other.events)


def fewest_calls(steps: Iterable[Step], known: Collection[str]) -> CallCounts:
    """Returns the fewest calls that Intercom's API needs for these envelopes, the measure of those made.

    One call creates a contact; two update one that exists, since only the refusal names its id. Each event is one call,
    and so is each change of attributes, where changes without an event between them are merged. "There is no upsert
    and no bulk for contacts or events." `known` are the contacts that existed before.
    """
    histories: dict[str, list[Step]] = {}
    for step in steps:
        if step.final_state.accepted:
            histories.setdefault(step.user, []).append(step)
    return sum((_fewest_for_user(history, existed=user in known) for user, history in histories.items()), CallCounts())


def _fewest_for_user(history: list[Step], *, existed: bool) -> CallCounts:
    if history[0].final_state is FinalState.DEAD_LETTER:
        return CallCounts(contacts=1)  # the refusal ends all of the user's envelopes
    known_values: dict[str, FieldValue] = {}
    unsent: dict[str, FieldValue] = {}
    contacts = 2 if existed else 1
    created, events = False, 0
    for step in history:
        unsent |= step.stored
        if step.events or step is history[-1]:
            changed = any(known_values.get(name) != value for name, value in unsent.items())
            contacts += created and changed
            created = True
            known_values |= unsent
            unsent = {}
            events += len(step.events)
    return CallCounts(contacts, events)


_SHOWN_MAX = 3


class Invariant(NamedTuple):
    """An invariant, and how it is violated."""

    invariant: str
    violations: tuple[str, ...]
    """The first few violations; empty if the invariant holds."""

    @property
    def holds(self) -> bool:
        """Whether there is no violation."""
        return not self.violations


def checks(steps: list[Step], observed: Observations, known: Collection[str]) -> list[Invariant]:
    """Returns every check; `known` are the contacts that existed before."""
    totals, sent = observed.totals(), len(observed.answered)
    total = sum(totals.values())
    received = Counter(observed.events)
    due = Counter(expected for events in expected_events(steps).values() for expected in events)
    answered, least = answered_calls(observed), fewest_calls(steps, known)
    users = len(expected_events(steps))
    beyond = sum(answered) - sum(least)
    return [
        Invariant(
            "the numbers add up", _unless(total == sent == len(steps), f"{len(steps)} sent, {sent} answered, {total}")
        ),
        Invariant("each accepted envelope has exactly one outcome", _few(_outcome_violations(observed))),
        Invariant("each envelope ended as expected", _few(_unexpected_states(observed))),
        Invariant(
            "Intercom has each event exactly once", _few(map(str, ((due - received) + (received - due)).elements()))
        ),
        Invariant("the events of each user arrived in order", _few(_order_violations(steps, observed))),
        Invariant("each contact has the values that were sent last", _few(_contact_violations(steps, observed))),
        Invariant(
            "Intercom received only calls that its API description allows",
            _unless(not observed.illegal, str(observed.illegal)),
        ),
        Invariant(
            "the crash repeated at most one call for each user",
            _unless(beyond <= users, f"{beyond} calls more than the fewest for {users} users"),
        ),
    ]


def expected_events(steps: Iterable[Step]) -> dict[str, list[ReceivedEvent]]:
    """Returns the events that Intercom must receive, in order, by contact."""
    due: dict[str, list[ReceivedEvent]] = {}
    for step in steps:
        due.setdefault(step.user, []).extend(ReceivedEvent(step.user, *expected) for expected in step.events)
    return {user: events for user, events in due.items() if events}


def answered_calls(observed: Observations) -> CallCounts:
    """Counts the calls about contacts and events that did not fail by a fault or the rate limit."""
    answered = Counter(call.subject for call in observed.calls if not call.failed)
    return CallCounts(answered["contacts"], answered["events"])


def _outcome_violations(observed: Observations) -> list[str]:
    ended = Counter(outcome.envelope_id for outcome in observed.outcomes)
    accepted = {
        step.envelope.envelope_id
        for step, final_state, _ in observed.final_states()
        if final_state is None or final_state.accepted
    }
    several = [f"{envelope_id} has {count}" for envelope_id, count in ended.items() if count > 1]
    return several + [f"{envelope_id} has none" for envelope_id in sorted(accepted - ended.keys())]


def _unexpected_states(observed: Observations) -> list[str]:
    return [
        f"{step.envelope.envelope_id}: expected {step.final_state.value} {step.reason}, "
        f"got {final_state and final_state.value} {reason}"
        for step, final_state, reason in observed.final_states()
        if final_state is not step.final_state or (step.reason and reason != step.reason)
    ]


def _order_violations(steps: list[Step], observed: Observations) -> list[str]:
    arrived: dict[str, list[ReceivedEvent]] = {}
    for event in observed.events:
        arrived.setdefault(event.user, []).append(event)
    return [user for user, due in expected_events(steps).items() if arrived.get(user) != due]


def _contact_violations(steps: list[Step], observed: Observations) -> list[str]:
    due: dict[str, dict[str, FieldValue]] = {}
    for step in steps:
        if step.final_state in {FinalState.DELIVERED, FinalState.UNCHANGED}:
            due.setdefault(step.user, {}).update(step.stored)
    violations = []
    for user, fields in due.items():
        held = observed.contacts.get(user, {})
        violations += [f"{user}: {name} is {held.get(name)!r}" for name in fields if held.get(name) != fields[name]]
    return violations


def _few(violations: Iterable[str]) -> tuple[str, ...]:
    found = list(violations)
    more = (f"and {len(found) - _SHOWN_MAX} more",) if len(found) > _SHOWN_MAX else ()
    return (*found[:_SHOWN_MAX], *more)


def _unless(holds: bool, violation: str) -> tuple[str, ...]:
    return () if holds else (violation,)
