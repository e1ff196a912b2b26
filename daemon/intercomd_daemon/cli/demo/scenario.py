"""What is sent in the demo, by whom, and what must come of it: the same at every run. Pure.

Each person belongs to one sender, since there is no order among senders that send at the same time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from intercomd.v1 import envelope_pb2
from intercomd_daemon.cli.demo import kinds, oddities, people
from intercomd_daemon.cli.demo.people import Person
from intercomd_daemon.cli.demo.step import Fate, Step

SEED = 20_260_801
SENDERS = ("web backend", "billing", "mobile backend", "crm")
SENT_AGAIN = 4
"""Envelopes that each sender hands over a second time, as after a restart of its own."""
SYNCED = 24
STEP_SECONDS = (30, 300)
"""Between two things that somebody does: more than a purchase's events take."""


@dataclass(frozen=True)
class Scenario:
    """All of it."""

    by_day: Mapping[str, list[Step]]
    """By sender, in the order of sending."""
    by_night: Mapping[str, list[Step]]
    """Sent when everything before has ended."""

    @property
    def steps(self) -> list[Step]:
        """Every envelope; those of one person in order."""
        return [step for part in (self.by_day, self.by_night) for steps in part.values() for step in steps]


def scenario(begin: int) -> Scenario:
    """The envelopes of a day that begins at this Unix second, some hours ago."""
    random = Random(SEED)  # noqa: S311 - chance that must repeat
    everybody = [*people.customers(), *people.known(), *people.by_email()]
    lives = [_life(person, begin + 7 * number, random) for number, person in enumerate(everybody)]
    lives[0] = [*lives[0], *oddities.adjusted(everybody[0], lives[0][-1].envelope.event_time.seconds + 60)]
    lives[1] = [*lives[1], *oddities.adjusted(everybody[1], lives[1][-1].envelope.event_time.seconds + 60)]
    lives += [oddities.refused_by_intercom(begin), oddities.rejected(begin), oddities.rejected(begin)]
    lives += [oddities.skipped(person, begin) for person in everybody[:3]]
    by_day = {sender: _woven(lives[place :: len(SENDERS)], random) for place, sender in enumerate(SENDERS)}
    by_day = {sender: _numbered(sender, steps) for sender, steps in by_day.items()}
    by_day = {sender: [*steps, *_again(steps)] for sender, steps in by_day.items()}
    night = [kinds.sync(person, begin, _plan(lives[number])) for number, person in enumerate(everybody[:SYNCED])]
    return Scenario(by_day, {"nightly sync": _numbered("sync", night)})


def _life(person: Person, at: int, random: Random) -> list[Step]:
    """What one person does, in order."""
    steps = [kinds.sign_up(person, at)]
    for number in range(random.randint(5, 7)):
        at += random.randint(*STEP_SECONDS)
        steps.append(random.choice(DEEDS)(person, at, number, random))
    return steps


def _plan(steps: list[Step]) -> str:
    """The plan that somebody has in the end."""
    return str([step.stored["plan"] for step in steps if "plan" in step.stored][-1])


def _woven(lives: list[list[Step]], random: Random) -> list[Step]:
    """Several people's steps as one sender hands them over: mixed, but each person's in order."""
    turns = [place for place, life in enumerate(lives) for _ in life]
    random.shuffle(turns)
    waiting = [iter(life) for life in lives]
    return [next(waiting[place]) for place in turns]


def _numbered(sender: str, steps: list[Step]) -> list[Step]:
    """Ids of the sender's own."""
    for number, step in enumerate(steps, start=1):
        step.envelope.envelope_id = f"{sender.replace(' ', '-')}-{number:04}"
    return steps


def _again(steps: list[Step]) -> list[Step]:
    """The last envelopes that were accepted, once more."""
    accepted = [step for step in steps if step.fate.accepted][-SENT_AGAIN:]
    return [replace(step, kind="sent a second time", fate=Fate.DUPLICATE, events=(), stored={}) for step in accepted]


def _search(person: Person, at: int, number: int, _random: Random) -> Step:
    return kinds.custom(person, at, "searched", {"query": f"how to {number}", "results": 3 * number})


def _export(person: Person, at: int, number: int, _random: Random) -> Step:
    return kinds.custom(person, at, "report-exported", {"format": "csv", "rows": 1000 + number, "scheduled": False})


def _invoice(person: Person, at: int, number: int, _random: Random) -> Step:
    return kinds.invoice(person, at, 4000 + number)


def _purchase(person: Person, at: int, _number: int, random: Random) -> Step:
    return kinds.purchase(person, at, random.randint(1, 3), envelope_pb2.SOURCE_SERVER)


def _session(person: Person, at: int, number: int, _random: Random) -> Step:
    return kinds.session_end(person, at, 60 + 10 * number)


def _plan_change(person: Person, at: int, _number: int, random: Random) -> Step:
    return kinds.plan_change(person, at, random.choice(people.PLANS), random.randint(2, 40))


def _profile(person: Person, at: int, number: int, _random: Random) -> Step:
    return kinds.profile(person, at, ["reports", "seats", "api"][: 1 + number % 3], f"{100 + number}.50")


DEEDS: tuple[Callable[[Person, int, int, Random], Step], ...] = (
    _search, _search, _export, _export, _invoice, _session, _session, _purchase, _plan_change, _profile,
)  # fmt: skip
