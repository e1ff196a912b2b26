"""Three daemons in virtual time: order, nothing lost or doubled, the budget, and how soon delivering resumes.

A seed that fails here fails again. `python tests/order/soak.py --fleet --seed N` plays a longer run of that seed.
"""

from collections import Counter

from simulation.fleet import RESUME_SECONDS, play_fleet

SEEDS = range(1, 81)


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
