"""Leases: the rules by examples, and three daemons in every state that they can reach.

A mutant breaks one rule; that the model then breaks a law shows what the rule is for.
"""

import pytest

from fleet.explorer import Explored, explore
from fleet.lease_model import TERMS, Budget, Daemon, LeaseModel, Message, Rules, World
from intercomd_daemon.fleet.lease import Fence, Lease, LeaseRow, Terms, is_unclean, may_claim, observe

NO_FAULTS = Budget(claims=2, renewals=0, breaks=0, fail_overs=0, stops=0, crashes=0, lags=0)
SECONDS = Terms(lease_seconds=10.0)
THEIRS = LeaseRow(Fence("b", 3), 5, timeline=1)


def search(rules: Rules, budget: Budget, *, daemons: int = 3, database_clock: bool = False) -> Explored:
    model = LeaseModel(rules, budget, daemons=daemons, database_clock=database_clock)
    return explore(model.initial, model.following, model.broken)


def test_calls_end_two_seconds_before_the_lease_counted_from_the_sending() -> None:
    lease = Lease(Fence("a", 1), 100.0, SECONDS)
    assert lease.may_call(107.9)
    assert not lease.may_call(108.0)
    assert lease.renew_at == pytest.approx(103.33, abs=0.01)
    assert lease.renewed(103.0).abort_at == 111.0
    assert lease.renewed(99.0) == lease, "an older renewal that is answered late shortens nothing"


def test_lease_of_another_process_is_free_after_it_was_seen_unchanged() -> None:
    seen = observe(None, THEIRS, 1, 100.0)
    assert observe(seen, THEIRS, 1, 111.0) == seen
    assert not may_claim(seen, "a", 111.9, SECONDS)
    assert may_claim(seen, "a", 112.0, SECONDS)
    renewed = observe(seen, THEIRS._replace(renewal=6), 1, 111.0)
    assert not may_claim(renewed, "a", 122.9, SECONDS)
    promoted = observe(seen, THEIRS, 2, 111.0)
    assert not may_claim(promoted, "a", 122.9, SECONDS)
    assert is_unclean(seen)


@pytest.mark.parametrize("incarnation", ["", "a"])
def test_released_or_own_lease_is_free_at_once_but_after_a_fail_over(incarnation: str) -> None:
    row = LeaseRow(Fence(incarnation, 3), 5, timeline=1)
    seen = observe(None, row, 1, 100.0)
    assert may_claim(seen, "a", 100.0, SECONDS)
    assert is_unclean(seen) is (incarnation == "a"), "calls of this process that were cut off may still arrive"
    after_fail_over = observe(None, row, 2, 100.0)
    assert not may_claim(after_fail_over, "a", 111.9, SECONDS)
    assert may_claim(after_fail_over, "a", 112.0, SECONDS)
    assert is_unclean(after_fail_over), "an owner whose claim was lost may have made calls"


@pytest.mark.parametrize(
    ("daemons", "faults", "steps"),
    [
        (3, {}, {"look", "send-claim", "claim", "receive", "call", "send-settlement", "send-release", "stray", "tick"}),
        (3, {"crashes": 1}, {"crash"}),
        (3, {"fail_overs": 1}, {"fail-over", "reconnect"}),
        (3, {"lags": 1}, {"lag"}),
        (2, {"renewals": 1, "lags": 1}, {"renew", "lag"}),
        (2, {"breaks": 1, "crashes": 1}, {"break", "reconnect", "crash"}),
        (2, {"breaks": 1, "stops": 1}, {"break", "stop", "continue"}),
        (2, {"fail_overs": 1, "stops": 1}, {"fail-over", "stop", "continue"}),
    ],
)
def test_one_daemon_at_a_time_calls_and_settles_whatever_happens(
    daemons: int, faults: dict[str, int], steps: set[str]
) -> None:
    found = search(Rules(), NO_FAULTS._replace(**faults), daemons=daemons)
    assert found.violation == "", found.trace
    assert found.states > 5_000
    assert steps <= found.steps


class NoFence(Rules):
    """Statements of the holder carry no fence."""

    def holds(self, _row: LeaseRow, _message: Message) -> bool:
        return True


class EpochAlone(Rules):
    """The fence is a number."""

    def holds(self, row: LeaseRow, message: Message) -> bool:
        return row.fence.epoch == message.row.fence.epoch


class ClaimsUnseen(Rules):
    """A claim takes the lease whatever has become of the row since it was seen."""

    def claims(self, _row: LeaseRow, _message: Message) -> bool:
        return True


class CallsAfterExpiry(Rules):
    """A daemon calls until the database tells it that the lease is gone."""

    def may_call(self, daemon: Daemon) -> bool:
        return daemon.lease is not None


class NeverAborts(Rules):
    """A call that is open when the lease ends goes on."""

    def aborts(self, _daemon: Daemon) -> bool:
        return False


class CountsFromTheAnswer(Rules):
    """A lease lasts from when its answer was received."""

    def counted_from(self, _message: Message) -> float:
        return 0


class DatabaseClock(Rules):
    """A lease expires by the clock of the database."""

    def may_claim(self, daemon: Daemon, world: World) -> bool:
        return daemon.seen is not None and (
            world.row.fence.incarnation == "" or world.row_age >= TERMS.lease_seconds + TERMS.margin_seconds
        )


class NoMargin(Rules):
    """Calls last as long as the lease, and a claimant waits exactly as long."""

    def may_call(self, daemon: Daemon) -> bool:
        return daemon.lease is not None and daemon.lease._replace(terms=TERMS._replace(margin_seconds=0)).may_call(0)

    def may_claim(self, daemon: Daemon, _world: World) -> bool:
        terms = TERMS._replace(margin_seconds=0)
        return daemon.seen is not None and may_claim(daemon.seen, daemon.incarnation, 0, terms)


class TrustsAnOldRow(Rules):
    """A released lease is free at once, also after a fail-over that lost its claim."""

    def may_claim(self, daemon: Daemon, _world: World) -> bool:
        seen = daemon.seen and daemon.seen._replace(timeline=daemon.seen.row.timeline)
        return seen is not None and may_claim(seen, daemon.incarnation, 0, TERMS)


@pytest.mark.parametrize(
    ("mutant", "faults", "law"),
    [
        (NoFence, {}, "a settlement under another daemon's lease"),
        (EpochAlone, {"fail_overs": 1, "claims": 3}, "a settlement under another daemon's lease"),
        (ClaimsUnseen, {}, "two daemons may call"),
        (CallsAfterExpiry, {}, "two daemons may call"),
        (NeverAborts, {}, "two daemons have calls open"),
        (CountsFromTheAnswer, {}, "two daemons may call"),
        (DatabaseClock, {"fail_overs": 1}, "two daemons may call"),
        (NoMargin, {"lags": 1}, "two daemons may call"),
        (TrustsAnOldRow, {"fail_overs": 1}, "two daemons may call"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_search_finds_the_law_that_a_changed_rule_breaks(mutant: type[Rules], faults: dict[str, int], law: str) -> None:
    budget = NO_FAULTS._replace(**faults)
    found = search(mutant(), budget, daemons=2, database_clock=mutant is DatabaseClock)
    assert found.violation == law
    assert found.trace
