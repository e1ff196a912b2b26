"""Who delivers which workspace: the rules by examples, and every state of a small fleet.

A mutant breaks one rule; that the model then breaks a law shows what the rule is for.
"""

import pytest

from fleet.explorer import Explored, explore
from fleet.placement_model import PlacementModel, Rules, World
from intercomd_daemon.fleet.heartbeat import Heartbeat
from intercomd_daemon.fleet.lease import Terms
from intercomd_daemon.fleet.placement import (
    ESTABLISHED_HEARTBEATS,
    LAST_SECONDS,
    MOVE_SECONDS,
    YIELD_SECONDS,
    FleetView,
    Member,
    Place,
    living,
    may_take,
    must_wait,
    should_move,
    should_offer,
    wanted,
)

TERMS = Terms(lease_seconds=10.0)


def member(name: str, *workspaces: str, heartbeats: int = ESTABLISHED_HEARTBEATS) -> Member:
    """A member with a connection for each workspace, named after it, and further ones as in `w1:eu`."""
    pairs = (workspace.partition(":") for workspace in workspaces)
    return Member(name, heartbeats, frozenset((workspace, name or workspace) for workspace, _, name in pairs))


def fleet(me: str, *members: Member, **places: Place) -> FleetView:
    return FleetView(me, {each.incarnation: each for each in members}, places)


A, B, C = (member(name, "w1", "w2", "w3") for name in "abc")


def test_members_with_a_recent_heartbeat_are_living() -> None:
    heartbeats = {"a": Heartbeat(7, 111.0), "b": Heartbeat(6, 100.0)}
    assert living([A, B], heartbeats, 111.9, TERMS) == {"a": A, "b": B}
    assert living([A, B], heartbeats, 112.0, TERMS) == {"a": A}


def test_only_those_with_all_connections_of_a_workspace_are_able() -> None:
    both = member("b", "w1", "w1:eu")
    assert fleet("a", A, both).able("w1") == {"b"}
    assert fleet("a", A, both).able("w2") == {"a"}
    assert fleet("a", A, both).able("w9") == frozenset()
    halves = fleet("a", member("a", "w1:eu"), member("b", "w1:us"))
    assert halves.able("w1") == {"a", "b"}, "if none has all, those with the most"


@pytest.mark.parametrize(
    ("seen", "free_seconds", "takes"),
    [
        (fleet("a", A, w1=Place()), 0.0, True),
        (fleet("a", member("a", "w2"), B, w1=Place()), 99.0, False),
        (fleet("a", A, B, w1=Place(), w2=Place("b")), 0.0, True),
        # It delivers more than another: that one goes first.
        (fleet("a", A, B, w1=Place(), w2=Place("a")), 0.0, False),
        (fleet("a", A, B, w1=Place(), w2=Place("a")), YIELD_SECONDS, True),
        # A joiner leaves it to others, unless there are none, or the only one has just lost it, or none takes it.
        (fleet("a", A._replace(heartbeats=5), B, w1=Place()), LAST_SECONDS - 0.1, False),
        (fleet("a", A._replace(heartbeats=5), B, w1=Place()), LAST_SECONDS, True),
        (fleet("a", A._replace(heartbeats=5), B._replace(heartbeats=0), w1=Place()), 0.0, True),
        (fleet("a", A._replace(heartbeats=5), w1=Place()), 0.0, True),
        (fleet("a", A._replace(heartbeats=5), B, w1=Place("b")), 0.0, True),
        (fleet("a", A, B._replace(heartbeats=5), w1=Place(), w2=Place("a")), YIELD_SECONDS - 0.1, False),
        # It moves.
        (fleet("a", A, B, w1=Place(successor="b")), LAST_SECONDS - 0.1, False),
        (fleet("a", A, B, w1=Place(successor="b")), LAST_SECONDS, True),
        (fleet("a", A, w1=Place(successor="b")), 0.0, True),
        (fleet("a", A, B, w1=Place(successor="a"), w2=Place("a"), w3=Place("a")), 0.0, True),
    ],
)
def test_free_workspace_is_taken_by_the_process_with_the_fewest(
    seen: FleetView, free_seconds: float, takes: bool
) -> None:
    assert may_take(seen, "w1", free_seconds) is takes


TWO = {"w1": Place("a"), "w2": Place("a")}


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (fleet("b", A, B, **TWO), "spread"),
        (fleet("b", A, B, w1=Place("a"), w2=Place("a"), w3=Place("b")), ""),
        (fleet("b", A, B, w1=Place("a", successor="b"), w2=Place("a")), "spread"),
        (fleet("b", A, B, w1=Place("a", successor="b"), w2=Place("b")), ""),
        (fleet("b", A, B._replace(heartbeats=0), **TWO), ""),
        (fleet("b", A, member("b", "w2"), **TWO), ""),
        (fleet("b", A, B, w1=Place("b"), w2=Place("b")), ""),
        (fleet("b", A, B, w1=Place("a", offered=True)), "offered"),
        (fleet("b", A, B._replace(heartbeats=0), w1=Place("a", offered=True)), ""),
        (fleet("b", A, member("b", "w1", "w1:eu"), w1=Place("a")), "settings"),
        # The owner does not live: its lease ends by itself.
        (fleet("b", B, **TWO), ""),
    ],
)
def test_workspace_moves_for_a_reason(seen: FleetView, why: str) -> None:
    assert should_move(seen, "w1", "b") == why


def test_one_workspace_at_a_time_is_wanted_and_the_offered_one_first() -> None:
    places = {"w1": Place("a"), "w2": Place("a"), "w3": Place("a", offered=True)}
    everything = ("w1", "w2", "w3", "w4")
    seen = fleet("b", A, B, **places)
    assert wanted(seen, everything, {}, 0.0) == "w3"
    assert wanted(seen, ("w1", "w2"), {}, 0.0) == "w1"
    assert wanted(seen, everything, {"w3": 1.0}, 0.0 + MOVE_SECONDS) == "w1"
    assert wanted(seen, everything, {"w3": 1.0}, 1.0 + MOVE_SECONDS) == "w3"
    assert wanted(seen, (), {}, 0.0) == ""
    asked = fleet("b", A, B, **places, w4=Place("c", successor="b"))
    assert wanted(asked, everything, {}, 0.0) == ""
    assert wanted(fleet("b", A, B, w1=Place("a", successor="c"), w2=Place(), w3=Place("b")), everything, {}, 0.0) == ""


def test_owner_that_cannot_deliver_for_three_leases_offers_the_workspace() -> None:
    assert not should_offer(None, 0.0, 1e6, TERMS)
    assert not should_offer(100.0, 0.0, 129.9, TERMS)
    assert should_offer(100.0, 0.0, 130.0, TERMS)
    assert not should_offer(100.0, 100.0, 100.0 + MOVE_SECONDS - 1.0, TERMS), "at most one such move a minute"
    assert should_offer(100.0, 100.0, 100.0 + MOVE_SECONDS, TERMS)


def search(rules: Rules, world: World | None = None) -> Explored:
    model = PlacementModel(rules, world)
    return explore(model.initial, model.following, model.broken)


def test_fleet_reaches_an_even_spread_after_any_joins_exits_and_failures() -> None:
    found = search(Rules())
    assert found.violation == "", found.trace
    assert found.states > 1_000
    assert found.steps == {"join", "leave", "heartbeat", "take", "ask", "agree", "refuse", "offer", "break", "crash"}


class JoinerTakes(Rules):
    """A process that joined is served like any other."""

    def may_take(self, fleet: FleetView, workspace: str, free_seconds: float) -> bool:
        established = {name: each._replace(heartbeats=ESTABLISHED_HEARTBEATS) for name, each in fleet.members.items()}
        return super().may_take(fleet._replace(members=established), workspace, free_seconds)


class SpreadsAtOne(Rules):
    """A workspace moves whenever another process delivers fewer."""

    def should_move(self, fleet: FleetView, workspace: str, successor: str) -> str:
        why = super().should_move(fleet, workspace, successor)
        place = fleet.places[workspace]
        asked = place.successor == successor
        fewer = fleet.load(successor) - asked < fleet.load(place.owner) + asked
        return why or ("spread" if fewer and successor in fleet.able(workspace) and successor != place.owner else "")


class IgnoresSettings(Rules):
    """Any process takes any workspace."""

    def may_take(self, fleet: FleetView, workspace: str, free_seconds: float) -> bool:
        everything = {name: each._replace(serves=frozenset({(workspace, "x")})) for name, each in fleet.members.items()}
        return super().may_take(fleet._replace(members=everything), workspace, free_seconds)


class AsksWithoutAProbe(Rules):
    """A process asks for a workspace without its own `GET /me`."""

    def asks(self, fleet: FleetView, workspace: str, *, healthy: bool) -> bool:  # noqa: ARG002 - that is the mutation
        return super().asks(fleet, workspace, healthy=True)


class OwnerAlwaysAgrees(Rules):
    """An owner releases its workspace to any process that asks for it."""

    def agrees(self, fleet: FleetView, workspace: str, successor: str) -> bool:
        return bool(successor and fleet.places[workspace].successor)


class NeverOffers(Rules):
    """An owner that cannot deliver keeps its workspace."""

    def offers(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("mutant", "law"),
    [
        (JoinerTakes, "a process took a workspace before two leases"),
        (SpreadsAtOne, "a move did not make the spread more even"),
        (IgnoresSettings, "a process delivers that has not all connections"),
        (AsksWithoutAProbe, "a process asks for a workspace that it cannot deliver"),
        (OwnerAlwaysAgrees, "a move did not make the spread more even"),
        (NeverOffers, "a workspace stays with an owner that cannot deliver"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_search_finds_the_law_that_a_changed_rule_breaks(mutant: type[Rules], law: str) -> None:
    found = search(mutant())
    assert found.violation == law
    assert found.trace


def joined(name: str, since: float, *serves: str) -> Member:
    """A member that joined at a time; it serves pairs as in `w1:eu`."""
    return Member(name, 9, frozenset((each[:2], each[3:]) for each in serves), since)


EU1, EU2 = joined("a", 1.0, "w1:eu"), joined("b", 2.0, "w2:eu")


@pytest.mark.parametrize(
    ("view", "waiting"),
    [
        (fleet("a", EU1), set()),
        (fleet("a", EU1, joined("b", 2.0, "w1:eu")), set()),
        (fleet("a", EU1, joined("b", 2.0, "w2:us"), w2=Place("b")), set()),
        (fleet("a", EU1, EU2), {"w2"}),
        (fleet("a", EU1, EU2, w1=Place("a")), {"w2"}),
        (fleet("a", EU1, EU2, w2=Place("b")), {"w1"}),
        (fleet("a", EU1, EU2, w1=Place("a"), w2=Place("b")), {"w2"}),
        (fleet("a", EU1, EU2, w2=Place("gone")), {"w2"}),
        (fleet("a", EU1, joined("b", 1.0, "w2:eu")), {"w2"}),
        (fleet("a", EU1, EU2, joined("c", 0.5, "w2:eu")), {"w1"}),
        (fleet("a", EU1, joined("b", 2.0, "w2:eu", "w1:us"), w1=Place("b")), {"w2"}),
        (fleet("a", joined("a", 1.0, "w1:eu", "w3:us"), EU2, joined("c", 3.0, "w3:us", "w3:eu")), {"w2", "w3"}),
    ],
    ids=[
        "alone",
        "the same settings",
        "another connection",
        "nowhere delivered: the eldest",
        "one is delivered",
        "the other is delivered",
        "both are delivered: the eldest",
        "delivered by a process that failed",
        "as old: by name",
        "the eldest of a workspace counts",
        "delivered for another connection",
        "three workspaces",
    ],
)
def test_connection_with_several_workspaces_is_delivered_to_one(view: FleetView, waiting: set[str]) -> None:
    found = set()
    for name, member in view.members.items():
        found |= {each for each, _ in member.serves if must_wait(view._replace(me=name), each)}
    assert found == waiting


MERGED, APART = joined("a", 2.0, "w1:eu", "w1:us"), joined("b", 1.0, "w1:us", "w2:eu")
"""Processes after and before a change that gives `eu` the workspace of `us`."""


@pytest.mark.parametrize(
    ("view", "able"),
    [
        (fleet("a", MERGED, APART, w1=Place("b"), w2=Place("b")), {"w1": {"b"}, "w2": {"b"}}),
        (fleet("a", MERGED, APART, w1=Place(), w2=Place("b")), {"w1": {"b"}, "w2": {"b"}}),
        (fleet("a", MERGED, APART), {"w1": {"b"}, "w2": {"b"}}),
        (fleet("a", MERGED, APART, w1=Place("a")), {"w1": {"a"}, "w2": set()}),
        (fleet("a", MERGED, APART, w1=Place("a"), w2=Place("b")), {"w1": {"b"}, "w2": {"b"}}),
        (fleet("a", MERGED, w2=Place("b")), {"w1": {"a"}, "w2": set()}),
        (
            fleet("a", EU1, joined("b", 2.0, "w2:eu", "w2:us"), joined("c", 3.0, "w3:us")),
            {"w1": {"a"}, "w2": set(), "w3": {"c"}},
        ),
    ],
    ids=[
        "both are delivered: nothing moves",
        "one became free: the process that has it without the other",
        "none is delivered",
        "the merged one is delivered",
        "both are delivered by their processes: the eldest",
        "all have changed",
        "a workspace that waits takes no connection from others",
    ],
)
def test_connection_with_one_workspace_does_not_wait_with_others(view: FleetView, able: dict[str, set[str]]) -> None:
    assert {workspace: view.able(workspace) for workspace in able} == able


def test_workspace_of_unknown_connections_waits_for_none() -> None:
    assert not must_wait(fleet("a", joined("a", 1.0, "w1:"), EU2, w2=Place("b")), "w1")
