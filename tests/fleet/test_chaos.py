"""A fleet keeps its promises through failures of daemons, of the database, and of the network between them.

Three daemons, whose clocks are an hour apart, share a spool in PostgreSQL with a synchronous standby. Senders publish
to all of them. Each blow proves that it hit; `fleet_harness.run` checks what Intercom and the journal hold at the end.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from fleet_harness import blows
from fleet_harness.blows import Blow
from fleet_harness.run import fleet_run

DAEMONS = (
    blows.kill_owner,
    blows.stop_owner,
    blows.freeze_owner,
    blows.kill_other,
    blows.divide_intercom,
    blows.rolling_restart,
    blows.join_and_leave,
    blows.stale_token,
)
DATABASE = (
    blows.lose_answers,
    blows.end_sessions,
    blows.divide_database,
    blows.kill_database,
    blows.fail_over,
    blows.slow_flush,
    blows.old_snapshot,
)


def test_every_failure_is_injected() -> None:
    assert sorted(blow.__name__ for blow in DAEMONS + DATABASE) == sorted(blow.__name__ for blow in blows.BLOWS)


@pytest.mark.parametrize("chosen", [DAEMONS, DATABASE], ids=["daemons", "database"])
async def test_fleet_keeps_its_promises_through_failures_of(tmp_path: Path, chosen: Sequence[Blow]) -> None:
    async with fleet_run(tmp_path, seed=1) as run:
        await run.era(1, chosen)
        print(run.table())  # noqa: T201 - shown where the test fails, and with -s
        assert len(run.blows) == len(chosen)
        assert run.laws["an event arrived once with its content"] > 1000
