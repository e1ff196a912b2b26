"""The budget of Intercom's windows is used up and not passed; `crash/pace.py` measures it in real time."""

import pytest

from daemons.backlog import USERS, Pace
from delivery.worker import envelope, event, row
from intercomd_daemon.sandbox import Recorded, SandboxSettings
from intercomd_daemon.sandbox.recorded import ALL, NONE
from simulation.scene import Scene, play

SHARE_MIN = 0.98
HOUR = 3600.0
HEADERS = pytest.mark.parametrize("recorded", [ALL, NONE], ids=["recorded", "described"])
LATENCIES = pytest.mark.parametrize("latency", ["0ms", "80ms"])


def paced(settings: SandboxSettings, calls: int, latency: str) -> Pace:
    """Delivers events of users whose contacts are there, each of which is one call."""
    paces: list[Pace] = []

    async def act(scene: Scene) -> None:
        for user in range(USERS):
            scene.sandbox.workspace.add_contact(f"u{user}")
        scene.sandbox.fault(f"* delay={latency}")
        await scene.spool.append([row(envelope(f"{n}", f"u{n % USERS}", None, event("came", n))) for n in range(calls)])
        await scene.notes.until(lambda notes: len(notes.outcomes) == calls, HOUR)
        paces.append(Pace.of(scene.sandbox))

    play(act, settings=settings)
    print(paces[0])  # noqa: T201 - shown where the test fails, and with -s
    return paces[0]


@HEADERS
@LATENCIES
def test_backlog_uses_98_percent_of_each_window_without_a_429(recorded: frozenset[Recorded], latency: str) -> None:
    """The default settings believe in 167 calls in ten seconds; that it is 83 in four is learned from the headers."""
    pace = paced(SandboxSettings(rate_limit=83, rate_window_seconds=4.0, recorded=recorded), 380, latency)
    assert pace.refused == 0
    assert len(pace.full) >= 2
    assert pace.share >= SHARE_MIN


@HEADERS
@LATENCIES
def test_budget_that_other_apps_use_is_left_to_them(recorded: frozenset[Recorded], latency: str) -> None:
    settings = SandboxSettings(rate_limit=83, rate_window_seconds=2.0, other_apps_calls=40, recorded=recorded)
    pace = paced(settings, 120, latency)
    assert pace.refused == 0
    assert max(pace.windows) <= 43
