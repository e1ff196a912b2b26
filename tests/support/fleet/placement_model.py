"""A model of a fleet that shares workspaces: processes join, leave, crash and lose Intercom; workspaces move.

Three processes and two workspaces; one of the processes has not all connections. Every decision is that of
`fleet.placement`, the code that the daemon runs, on a view that may be as old as the last step of its process.
"""

from collections.abc import Iterator
from typing import NamedTuple

from fleet.explorer import Step
from intercomd_daemon.fleet import placement
from intercomd_daemon.fleet.placement import ESTABLISHED_HEARTBEATS, YIELD_SECONDS, FleetView, Member, Place

WORKSPACES = ("w1", "w2")
PARTIAL = "c"
"""Has one connection of w2, of which others have two."""
JOINED, SETTLED = 0, ESTABLISHED_HEARTBEATS


class Process(NamedTuple):
    """One process: when it joined, and whether it reaches Intercom."""

    present: bool = False
    heartbeats: int = JOINED
    healthy: bool = True


class World(NamedTuple):
    """A state of the model."""

    processes: tuple[tuple[str, Process], ...]
    places: tuple[tuple[str, Place], ...] = tuple((name, Place()) for name in WORKSPACES)
    joins: int = 3
    leaves: int = 1
    crashes: int = 1
    breaks: int = 1
    wrong: str = ""


class Rules:
    """The rules as they are meant."""

    def may_take(self, fleet: FleetView, workspace: str, free_seconds: float) -> bool:
        return placement.may_take(fleet, workspace, free_seconds)

    def should_move(self, fleet: FleetView, workspace: str, successor: str) -> str:
        return placement.should_move(fleet, workspace, successor)

    def asks(self, fleet: FleetView, workspace: str, *, healthy: bool) -> bool:
        return healthy and bool(self.should_move(fleet, workspace, fleet.me))

    def agrees(self, fleet: FleetView, workspace: str, successor: str) -> bool:
        return bool(self.should_move(fleet, workspace, successor))

    def offers(self) -> bool:
        return True


def serves(name: str) -> frozenset[tuple[str, str]]:
    pairs = {("w1", "us"), ("w2", "default"), ("w2", "eu")}
    return frozenset(pairs - {("w2", "eu")} if name == PARTIAL else pairs)


class PlacementModel:
    """The steps of the model under some rules."""

    def __init__(self, rules: Rules, world: World | None = None) -> None:
        self.rules = rules
        self.initial = world or World(tuple((name, Process()) for name in "abc"))

    def broken(self, world: World) -> str:
        """The law that a state breaks. In a state where only faults may follow, all is as it should be."""
        if world.wrong:
            return world.wrong
        if any(
            True for step, _ in self._following(world) if step.split()[0] not in {"join", "leave", "crash", "break"}
        ):
            return ""
        return self._at_rest(world)

    def _at_rest(self, world: World) -> str:
        fleet, processes, places = self._fleet("a", world), dict(world.processes), dict(world.places)
        loads = [fleet.load(name) for name in fleet.members if name in fleet.able("w2")]
        for workspace, place in places.items():
            able = fleet.able(workspace)
            if not place.owner and able:
                return "a workspace is delivered by no process"
            sound = {name for name in able if processes[name].healthy}
            if place.owner in processes and not processes[place.owner].healthy and sound:
                return "a workspace stays with an owner that cannot deliver"
        healthy = all(process.healthy for process in processes.values())
        return "the spread is uneven" if healthy and loads and max(loads) - min(loads) > 1 else ""

    def _fleet(self, me: str, world: World) -> FleetView:
        return FleetView(
            me,
            {name: Member(name, each.heartbeats, serves(name)) for name, each in world.processes if each.present},
            dict(world.places),
        )

    def following(self, world: World) -> Iterator[Step]:
        """Everything that may happen next."""
        yield from self._following(world)

    def _following(self, world: World) -> Iterator[Step]:
        for name, process in world.processes:
            if not process.present:
                if world.joins:
                    yield f"join {name}", _with(world, name, Process(present=True))._replace(joins=world.joins - 1)
                continue
            if process.heartbeats < SETTLED:
                yield f"heartbeat {name}", _with(world, name, process._replace(heartbeats=SETTLED))
            if world.breaks:
                broken = _with(world, name, process._replace(healthy=False))
                yield f"break {name}", broken._replace(breaks=0)
            # Its leases are released, or end. A process that joins later is another one.
            gone = _with(world, name, Process())._replace(places=_released(world.places, name))
            if world.leaves:
                yield f"leave {name}", gone._replace(leaves=0)
            if world.crashes:
                yield f"crash {name}", gone._replace(crashes=0)
            yield from self._decisions(world, name, process)

    def _decisions(self, world: World, name: str, process: Process) -> Iterator[Step]:
        fleet = self._fleet(name, world)
        asking = any(place.successor == name for place in fleet.places.values())
        for workspace, place in world.places:
            if not place.owner:
                if self.rules.may_take(fleet, workspace, 0.0) or self.rules.may_take(fleet, workspace, YIELD_SECONDS):
                    after = _placed(world, workspace, Place(name))
                    yield f"take {name} {workspace}", after._replace(wrong=self._wrong_take(world, name, workspace))
            elif place.owner == name:
                yield from self._owned(world, fleet, workspace, process)
            elif not asking and not place.successor and self.rules.asks(fleet, workspace, healthy=process.healthy):
                asked = _placed(world, workspace, place._replace(successor=name))
                wrong = "" if process.healthy else "a process asks for a workspace that it cannot deliver"
                yield f"ask {name} {workspace}", asked._replace(wrong=wrong)

    def _owned(self, world: World, fleet: FleetView, workspace: str, process: Process) -> Iterator[Step]:
        place = fleet.places[workspace]
        if not process.healthy and not place.offered and self.rules.offers():
            yield f"offer {place.owner} {workspace}", _placed(world, workspace, place._replace(offered=True))
        if not place.successor:
            return
        if self.rules.agrees(fleet, workspace, place.successor):
            moved = _placed(world, workspace, Place("", False, place.successor))
            yield f"agree {place.owner} {workspace}", moved._replace(wrong=self._wrong_move(fleet, workspace))
        else:
            yield f"refuse {place.owner} {workspace}", _placed(world, workspace, place._replace(successor=""))

    def _wrong_take(self, world: World, name: str, workspace: str) -> str:
        fleet = self._fleet(name, world)
        able = fleet.able(workspace)
        if name not in able:
            return "a process delivers that has not all connections"
        others = any(fleet.members[other].established for other in able - {name})
        return "a process took a workspace before two leases" if others and not fleet.members[name].established else ""

    def _wrong_move(self, fleet: FleetView, workspace: str) -> str:
        successor = fleet.places[workspace].successor
        if successor in fleet.members and not placement.should_move(fleet, workspace, successor):
            return "a move did not make the spread more even"
        return ""


def _with(world: World, name: str, process: Process) -> World:
    return world._replace(processes=tuple((each, process if each == name else old) for each, old in world.processes))


def _placed(world: World, workspace: str, place: Place) -> World:
    return world._replace(places=tuple((name, place if name == workspace else old) for name, old in world.places))


def _released(places: tuple[tuple[str, Place], ...], name: str) -> tuple[tuple[str, Place], ...]:
    """A process that joins later under this name is another one: nothing is left to it."""
    gone = (
        (workspace, place._replace(successor="gone") if place.successor == name else place)
        for workspace, place in places
    )
    return tuple((each, Place("", False, place.successor) if place.owner == name else place) for each, place in gone)
