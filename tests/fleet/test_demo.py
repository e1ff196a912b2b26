"""The demo of a fleet runs to its end, at the width of a terminal, and leaves nothing behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from daemons.process import WAIT_SECONDS
from fleet_demo.counts import Arrival, Observed, checks, rows
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.outcome_pb2 import Outcome, OutcomeType

DEMO = Path(__file__).with_name("demo.py")
CHECKS = 7
COLUMNS = 80


async def demo(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "TMPDIR": str(folder), "COLUMNS": str(COLUMNS)}
    command = (sys.executable, str(DEMO), *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)


async def test_demo_runs_to_its_end_and_all_checks_hold(tmp_path: Path) -> None:
    # A busy machine delays the next call; the soak of the fleet measures it.
    running = await demo(tmp_path, "--envelopes", "40", "--take-over-seconds", f"{WAIT_SECONDS:g}")
    async with asyncio.timeout(4 * WAIT_SECONDS):
        output = (await running.communicate())[0].decode()
    sys.stdout.write(output)
    assert running.returncode == 0
    lines = output.splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert sum(line.startswith("  holds ") for line in lines) == CHECKS
    assert ["all", "120", "120", "120", "120", "-", "-", "-"] in [line.split() for line in lines]
    assert os.listdir(tmp_path) == [], "nothing is left behind"  # noqa: PTH208 - no path is needed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_demo_ended_by_a_signal_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    running = await demo(tmp_path)
    assert running.stdout is not None
    async with asyncio.timeout(WAIT_SECONDS):
        await running.stdout.readline()
        running.send_signal(number)
        await running.communicate()
    assert running.returncode != 0
    assert processes_of(tmp_path) == []
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - no path is needed


def processes_of(folder: Path) -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder).encode() in content(path)]


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def outcome(name: str) -> Outcome:
    identity = Identity(customer_id=name)
    return Outcome(envelope_id=name, identity=identity, type=OutcomeType.OUTCOME_TYPE_DELIVERED)


FINE = Observed(
    sent={"shop": [Arrival("shop-1", 0), Arrival("shop-1", 1)]},
    accepted={"shop": 2},
    forwarded={"shop": [Outcome(type=OutcomeType.OUTCOME_TYPE_FORWARDED)] * 2},
    outcomes=[outcome("shop-1"), outcome("shop-2")],
    arrived=[Arrival("shop-1", 0), Arrival("shop-1", 1)],
    repeats=0,
    too_many=0,
    plans={"shop-1": "a"},
    due_plans={"shop-1": "a"},
    took_over_seconds=7.0,
    bound_seconds=10.0,
)


def test_rows_count_each_side() -> None:
    first, second = FINE.arrived
    assert rows(FINE)[0] == ("shop", 2, 2, 2, 2, 0, 0, 0)
    assert rows(FINE._replace(arrived=[second, first, first]))[-1] == ("all", 2, 2, 2, 2, 0, 1, 2)
    assert rows(FINE._replace(arrived=[second]))[-1] == ("all", 2, 2, 2, 2, 1, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"accepted": {"shop": 1}},
        {"outcomes": [outcome("shop-1")] * 2},
        {"arrived": FINE.arrived[:1]},
        {"arrived": FINE.arrived[::-1]},
        {"plans": {}},
        {"too_many": 1},
        {"took_over_seconds": 10.1},
    ],
)
def test_check_fails_for_each_fault(change: dict[str, object]) -> None:
    assert all(check.holds for check in checks(FINE))
    assert sum(not check.holds for check in checks(FINE._replace(**change))) == 1
