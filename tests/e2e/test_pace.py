"""The budget of Intercom's windows is used up and not passed; the longer run, with real ones, is `crash/pace.py`."""

from pathlib import Path

import pytest

from daemons.backlog import paced
from intercomd_daemon.sandbox import Recorded, SandboxSettings
from intercomd_daemon.sandbox.recorded import ALL, NONE

SHARE_MIN = 0.98


@pytest.mark.parametrize("recorded", [ALL, NONE], ids=["recorded", "described"])
async def test_backlog_uses_98_percent_of_each_window_without_a_429(
    tmp_path: Path, recorded: frozenset[Recorded]
) -> None:
    """The default settings believe in 167 calls in ten seconds; that it is 83 in four is learned from the headers."""
    pace = await paced(tmp_path, SandboxSettings(rate_limit=83, rate_window_seconds=4.0, recorded=recorded), 380)
    print(pace, f"{pace.share:.2%}")  # noqa: T201 - shown where the test fails, and with -s
    assert pace.refused == 0
    assert len(pace.full) >= 2
    assert pace.share >= SHARE_MIN


@pytest.mark.parametrize("recorded", [ALL, NONE], ids=["recorded", "described"])
async def test_budget_that_other_apps_use_is_left_to_them(tmp_path: Path, recorded: frozenset[Recorded]) -> None:
    settings = SandboxSettings(rate_limit=83, rate_window_seconds=2.0, other_apps_calls=40, recorded=recorded)
    pace = await paced(tmp_path, settings, 120)
    print(pace)  # noqa: T201 - as above
    assert pace.refused == 0
    assert max(pace.windows) <= 43
