"""Three daemons in virtual time: order, nothing lost or doubled, the budget, and how soon delivering resumes.

A seed that fails here fails again. `python tests/order/soak.py --fleet --seed N` plays a longer run of that seed.
"""

from collections import Counter

import pytest

from simulation.fleet import BUSY, QUIET, RESUME_SECONDS, RULES, TERMS, Rules, play_fleet
from simulation.simulation import Plan

SEEDS = range(1, 81)
BUSY_SEEDS = range(15, 20)


def test_promises_hold_while_a_workspace_moves_between_daemons() -> None:
    takeovers: Counter[str] = Counter()
    slowest = 0.0
    for seed in SEEDS:
        figures = play_fleet(seed)
        takeovers += figures.takeovers
        slowest = max(slowest, figures.slowest)
    assert takeovers.keys() == {"killed", "frozen", "cut off", "released"}
    assert min(takeovers.values()) >= 15
    assert slowest <= RESUME_SECONDS


def test_budget_holds_while_a_busy_workspace_moves_between_daemons() -> None:
    assert takeovers_of(BUSY_SEEDS, BUSY, RULES) >= 10


def takeovers_of(seeds: range, plan: Plan, rules: Rules) -> int:
    return sum(play_fleet(seed, 4, plan, rules).takeovers.total() for seed in seeds)


@pytest.mark.parametrize(
    ("rules", "plan", "seeds"),
    [
        pytest.param(Rules(owner_terms=TERMS._replace(lease_seconds=20.0)), QUIET, SEEDS, id="calls after the lease"),
        pytest.param(Rules(owner_terms=TERMS._replace(margin_seconds=-2.5)), QUIET, SEEDS, id="calls after the margin"),
        pytest.param(Rules(claimant_terms=TERMS._replace(lease_seconds=2.0)), QUIET, SEEDS, id="claims too early"),
        pytest.param(Rules(claimant_terms=TERMS._replace(lease_seconds=20.0)), QUIET, SEEDS, id="claims too late"),
        pytest.param(Rules(expects_late_calls=False), BUSY, BUSY_SEEDS, id="expects no late calls"),
    ],
)
def test_broken_rule_breaks_a_promise(rules: Rules, plan: Plan, seeds: range) -> None:
    """Otherwise the seeds would prove nothing about that rule."""
    with pytest.raises(AssertionError):
        takeovers_of(seeds, plan, rules)
