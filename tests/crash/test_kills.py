"""The daemon keeps its promises through kill -9, in whatever it is doing."""

from pathlib import Path

from intercom.fault_proxy import Kind
from kill_harness.kills import Phase
from kill_harness.run import ANSWERS, kill_run

KILLS = 20


async def test_accepted_envelopes_survive_20_kills(
    tmp_path: Path,
) -> None:
    """And the kills are shown to have landed in each phase, and what must be survived to have happened."""
    async with kill_run(tmp_path, seed=1) as run:
        await run.era(1, KILLS)
    figures = run.figures
    print(figures.table())  # noqa: T201 - shown where the test fails, and with -s
    assert figures.kills.total() == KILLS
    assert all(figures.proven[phase] for phase in Phase)
    assert all(figures.faults[kind] for kind in (*Kind, *ANSWERS))
    assert figures.statuses[409]
    assert figures.repeats
    assert figures.retries
    assert figures.envelopes["known again after a lost answer"]
    assert figures.types["REPLAYED"]
    assert figures.laws["an event arrived once with its content"] > 1000
