"""Whole days of one connection in virtual time: order, nothing lost, nothing doubled, whatever happens.

A seed that fails here fails again: `python tests/order/soak.py --seed N` plays a day of that seed alone.
"""

from pathlib import Path

import pytest

from clock.virtual import VirtualLoop, run_virtually
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from simulation.delayed_spool import OnDisk
from simulation.intercom import Temper
from simulation.simulation import Figures, Plan, Simulation, simulate
from simulation.troubles import play

DAY = Plan(users=40, envelopes=700, seconds=180.0, crashes=5, stuck=15)


@pytest.mark.parametrize("seed", range(1, 4))
def test_order_holds_through_faults_crashes_and_replays(seed: int) -> None:
    figures = simulate(seed, DAY, play)
    assert figures.crashes == DAY.crashes
    assert figures.repeats > 0
    assert figures.outcomes["DELIVERED"] >= DAY.envelopes


@pytest.mark.parametrize("seed", range(100, 102))
def test_order_holds_while_the_wall_clock_is_set(seed: int) -> None:
    simulate(seed, DAY._replace(jumps=6), play)


def test_budget_is_never_exceeded_while_the_wall_clock_is_set() -> None:
    """The budget is measured by the answers, and by a clock that never jumps."""
    calm = DAY._replace(temper=Temper(), crashes=0, stops=0, outages=0, stuck=0)
    figures = simulate(5, calm._replace(jumps=12, envelopes=1500), play)
    assert figures.over_budget == 0
    assert figures.calls > 1500


def test_order_holds_on_disk(tmp_path: Path) -> None:
    async def run(loop: VirtualLoop) -> Figures:
        # The spool's clock is the machine's: the simulated day must not be too long ago for the journal.
        path, century = str(tmp_path / "spool.db"), 100 * 365 * 86_400.0
        settings = SqliteSettings(path=path, free_bytes_min=0, outcomes_kept_seconds=century)
        spool = await loop.outside(open_spool(settings))
        plan = DAY._replace(envelopes=150, seconds=60.0, crashes=2, stops=0, outages=0, stuck=2)
        simulation = Simulation(loop, 1, plan, spool, OnDisk(loop))
        simulation.start()
        await play(simulation)
        await simulation.stop()
        figures = await simulation.check()
        await loop.outside(spool.close())
        return figures

    assert run_virtually(run).crashes == 2
