"""Whether what had to come of the demo is what came of it. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple

from intercomd_daemon.cli.demo.evidence import Evidence, Taken
from intercomd_daemon.cli.demo.least import Calls, fewest
from intercomd_daemon.cli.demo.step import Fate, Step, Stored

PASSING = frozenset({408, 429, 500, 502, 503, 504})
_SHOWN_MAX = 3


class Check(NamedTuple):
    """One thing that must hold."""

    law: str
    wrong: tuple[str, ...]
    """What does not fit, the first few; empty: it holds."""

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return not self.wrong


def checks(steps: list[Step], evidence: Evidence, known: Collection[str]) -> list[Check]:
    """All of them; `known` are the contacts that Intercom had before."""
    sums, sent = evidence.sums(), len(evidence.answered)
    total = sum(sums.values())
    taken = Counter(evidence.events)
    due = Counter(tracked for who in orders(steps).items() for tracked in who[1])
    answered, least = well(evidence), fewest(steps, known)
    people = len(orders(steps))
    beyond = sum(answered) - sum(least)
    return [
        Check(
            "the numbers add up", _unless(total == sent == len(steps), f"{len(steps)} sent, {sent} answered, {total}")
        ),
        Check("each accepted envelope has exactly one outcome", _few(_outcomes_wrong(evidence))),
        Check("each envelope ended as it had to", _few(_fates_wrong(evidence))),
        Check("Intercom has each event exactly once", _few(map(str, ((due - taken) + (taken - due)).elements()))),
        Check("everybody's events came in order", _few(_orders_wrong(steps, evidence))),
        Check("each contact has what was last said of it", _few(_contacts_wrong(steps, evidence))),
        Check(
            "Intercom was asked nothing that it does not describe", _unless(not evidence.illegal, str(evidence.illegal))
        ),
        Check(
            "the crash repeated at most one call for each person",
            _unless(beyond <= people, f"{beyond} calls more than the fewest for {people} people"),
        ),
    ]


def orders(steps: Iterable[Step]) -> dict[str, list[Taken]]:
    """The events that Intercom must get, in order, by contact."""
    due: dict[str, list[Taken]] = {}
    for step in steps:
        due.setdefault(step.who, []).extend(Taken(step.who, *tracked) for tracked in step.events)
    return {who: events for who, events in due.items() if events}


def well(evidence: Evidence) -> Calls:
    """Calls about contacts and events that Intercom answered by itself, for good or bad."""
    answered = Counter(call.subject for call in evidence.calls if not call.spoilt)
    return Calls(answered["contacts"], answered["events"])


def _outcomes_wrong(evidence: Evidence) -> list[str]:
    ended = Counter(outcome.envelope_id for outcome in evidence.outcomes)
    accepted = {step.envelope.envelope_id for step, fate, _ in evidence.fates() if fate is None or fate.accepted}
    several = [f"{envelope_id} has {count}" for envelope_id, count in ended.items() if count > 1]
    return several + [f"{envelope_id} has none" for envelope_id in sorted(accepted - ended.keys())]


def _fates_wrong(evidence: Evidence) -> list[str]:
    return [
        f"{step.envelope.envelope_id} had to be {step.fate.value} {step.reason}, was {fate and fate.value} {reason}"
        for step, fate, reason in evidence.fates()
        if fate is not step.fate or (step.reason and reason != step.reason)
    ]


def _orders_wrong(steps: list[Step], evidence: Evidence) -> list[str]:
    came: dict[str, list[Taken]] = {}
    for event in evidence.events:
        came.setdefault(event.who, []).append(event)
    return [who for who, due in orders(steps).items() if came.get(who) != due]


def _contacts_wrong(steps: list[Step], evidence: Evidence) -> list[str]:
    due: dict[str, dict[str, Stored]] = {}
    for step in steps:
        if step.fate in {Fate.DELIVERED, Fate.UNCHANGED}:
            due.setdefault(step.who, {}).update(step.stored)
    wrong = []
    for who, fields in due.items():
        held = evidence.contacts.get(who, {})
        wrong += [f"{who}: {name} is {held.get(name)!r}" for name in fields if held.get(name) != fields[name]]
    return wrong


def _few(wrong: Iterable[str]) -> tuple[str, ...]:
    found = list(wrong)
    more = (f"and {len(found) - _SHOWN_MAX} more",) if len(found) > _SHOWN_MAX else ()
    return (*found[:_SHOWN_MAX], *more)


def _unless(holds: bool, wrong: str) -> tuple[str, ...]:
    return () if holds else (wrong,)
