"""The fewest calls that Intercom's API allows for what was sent: the measure of those that were made. Pure.

One to create each contact; two for one that exists already, since only the refusal names its id; one for each event;
one for each change of attributes, where changes that no event stands between go as one. "There is no upsert and no bulk
for contacts or events."
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from intercomd_daemon.cli.demo.step import Fate, Step, Stored


class Calls(NamedTuple):
    """Calls by what they do."""

    contacts: int = 0
    events: int = 0

    def __add__(self, other: object) -> "Calls":
        if not isinstance(other, Calls):
            return NotImplemented
        return Calls(self.contacts + other.contacts, self.events + other.events)


def fewest(steps: Iterable[Step], known: Collection[str]) -> Calls:
    """For envelopes in order; `known` are the contacts that Intercom had before."""
    lives: dict[str, list[Step]] = {}
    for step in steps:
        if step.fate.accepted:
            lives.setdefault(step.who, []).append(step)
    return sum((_of_one(life, existed=who in known) for who, life in lives.items()), Calls())


def _of_one(life: list[Step], *, existed: bool) -> Calls:
    if life[0].fate is Fate.DEAD_LETTER:
        return Calls(contacts=1)  # the refusal, which holds for all
    held: dict[str, Stored] = {}
    waiting: dict[str, Stored] = {}
    contacts = 2 if existed else 1
    created, events = False, 0
    for step in life:
        waiting |= step.stored
        if step.events or step is life[-1]:
            changed = any(held.get(name) != value for name, value in waiting.items())
            contacts += created and changed
            created = True
            held |= waiting
            waiting = {}
            events += len(step.events)
    return Calls(contacts, events)
