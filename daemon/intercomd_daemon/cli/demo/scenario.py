"""Defines what each sender of the demo sends, and what must come of it. Every run is the same.

Each persona belongs to one sender, because envelopes of concurrent senders are unordered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from intercomd.v1 import envelope_pb2
from intercomd_daemon.cli.demo import builders, edge_cases, personas
from intercomd_daemon.cli.demo.builders import FinalState, Step
from intercomd_daemon.cli.demo.personas import Persona

SEED = 20_260_801
SENDERS = ("web backend", "billing", "mobile backend", "crm")
SENT_AGAIN = 4
"""Envelopes that each sender sends a second time, as after a restart."""
SYNCED = 24
STEP_SECONDS = (30, 300)
"""Bounds of the time between two envelopes of a user: longer than the events of a purchase take."""


@dataclass(frozen=True)
class Scenario:
    """The envelopes of all senders."""

    daytime: Mapping[str, list[Step]]
    """By sender, in the order of sending."""
    nightly: Mapping[str, list[Step]]
    """By sender; sent when everything before has its outcome."""

    @property
    def steps(self) -> list[Step]:
        """All envelopes; those of one user in order."""
        return [step for part in (self.daytime, self.nightly) for steps in part.values() for step in steps]


def scenario(begin: int) -> Scenario:
    """Returns the scenario whose first event is at this Unix second."""
    random = Random(SEED)  # noqa: S311 - must be repeatable
    everyone = [*personas.customers(), *personas.known(), *personas.by_email()]
    histories = [_history(persona, begin + 7 * number, random) for number, persona in enumerate(everyone)]
    histories[0] = [*histories[0], *edge_cases.adjusted(everyone[0], histories[0][-1].envelope.event_time.seconds + 60)]
    histories[1] = [*histories[1], *edge_cases.adjusted(everyone[1], histories[1][-1].envelope.event_time.seconds + 60)]
    histories += [edge_cases.refused_by_intercom(begin), edge_cases.rejected(begin), edge_cases.rejected(begin)]
    histories += [edge_cases.skipped(persona, begin) for persona in everyone[:3]]
    daytime = {sender: _interleave(histories[place :: len(SENDERS)], random) for place, sender in enumerate(SENDERS)}
    daytime = {sender: _numbered(sender, steps) for sender, steps in daytime.items()}
    daytime = {sender: [*steps, *_again(steps)] for sender, steps in daytime.items()}
    nightly = [
        builders.sync(persona, begin, _plan(histories[number])) for number, persona in enumerate(everyone[:SYNCED])
    ]
    return Scenario(daytime, {"nightly sync": _numbered("sync", nightly)})


def _history(persona: Persona, at: int, random: Random) -> list[Step]:
    """Returns the envelopes of one persona, in order."""
    steps = [builders.sign_up(persona, at)]
    for number in range(random.randint(5, 7)):
        at += random.randint(*STEP_SECONDS)
        steps.append(random.choice(ACTIVITIES)(persona, at, number, random))
    return steps


def _plan(steps: list[Step]) -> str:
    """Returns the last plan in these envelopes."""
    return str([step.stored["plan"] for step in steps if "plan" in step.stored][-1])


def _interleave(histories: list[list[Step]], random: Random) -> list[Step]:
    """Interleaves the envelopes of several personas at random; those of each persona stay in order."""
    turns = [place for place, history in enumerate(histories) for _ in history]
    random.shuffle(turns)
    waiting = [iter(history) for history in histories]
    return [next(waiting[place]) for place in turns]


def _numbered(sender: str, steps: list[Step]) -> list[Step]:
    """Sets envelope ids with the name of the sender."""
    for number, step in enumerate(steps, start=1):
        step.envelope.envelope_id = f"{sender.replace(' ', '-')}-{number:04}"
    return steps


def _again(steps: list[Step]) -> list[Step]:
    """Returns the last accepted envelopes, to be sent once more."""
    accepted = [step for step in steps if step.final_state.accepted][-SENT_AGAIN:]
    return [
        replace(step, kind="sent a second time", final_state=FinalState.DUPLICATE, events=(), stored={})
        for step in accepted
    ]


def _search(persona: Persona, at: int, number: int, _random: Random) -> Step:
    return builders.custom(persona, at, "searched", {"query": f"how to {number}", "results": 3 * number})


def _export(persona: Persona, at: int, number: int, _random: Random) -> Step:
    return builders.custom(persona, at, "report-exported", {"format": "csv", "rows": 1000 + number, "scheduled": False})


def _invoice(persona: Persona, at: int, number: int, _random: Random) -> Step:
    return builders.invoice(persona, at, 4000 + number)


def _purchase(persona: Persona, at: int, _number: int, random: Random) -> Step:
    return builders.purchase(persona, at, random.randint(1, 3), envelope_pb2.SOURCE_SERVER)


def _session(persona: Persona, at: int, number: int, _random: Random) -> Step:
    return builders.session_end(persona, at, 60 + 10 * number)


def _plan_change(persona: Persona, at: int, _number: int, random: Random) -> Step:
    return builders.plan_change(persona, at, random.choice(personas.PLANS), random.randint(2, 40))


def _profile(persona: Persona, at: int, number: int, _random: Random) -> Step:
    return builders.profile(persona, at, ["reports", "seats", "api"][: 1 + number % 3], f"{100 + number}.50")


ACTIVITIES: tuple[Callable[[Persona, int, int, Random], Step], ...] = (
    _search, _search, _export, _export, _invoice, _session, _session, _purchase, _plan_change, _profile,
)  # fmt: skip
