"""The trail after a kill: everything of a user is found in a long backlog, also what 0.1 left in the file."""

import gzip
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from documents import ROOT
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.spool.record import unpack
from intercomd_daemon.spool.sqlite import SqliteSettings, SqliteSpool, open_spool
from intercomd_daemon.spool.trail import TrailFilter

# Upgrades a file of 0.1 and appends 50,000 rows: each 5,000th of bob, of them one by his customer id alone and one by
# his email alone. Parks his lane with one of them, gives another up, and is killed.
FILLER = """
import asyncio, os, signal, sys
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.spool.rows import Completion, Incoming, Settlement
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool

BOB = ("bob", "bob@x.org")
WHO = {5_000: ("bob", ""), 10_000: ("", "bob@x.org")}

def row(number):
    customer_id, email = WHO.get(number, BOB if number % 5_000 == 0 else (f"user-{number % 999}", ""))
    accepted = AcceptedEnvelope(str(number), customer_id, email, 0.0, (), (), "", bytes(100))
    priority = Priority.BULK if number % 3 == 0 else Priority.NORMAL
    return Incoming(
        "default", priority, lane_of(customer_id, email), str(number), pack(accepted), email=email
    ), accepted

async def main():
    spool = await open_spool(SqliteSettings(sys.argv[1], free_bytes_min=0))
    keys = {}
    for start in range(1, 50_001, 1_000):
        rows = [row(number) for number in range(start, start + 1_000)]
        keys.update(zip(range(start, start + 1_000), await spool.append([each for each, _ in rows])))
    await spool.park("default", "c:bob", [keys[20_000], keys[35_000]], 0.0, 1)
    envelope = row(40_000)[1]
    outcome = Outcome(
        "40000", "default", *BOB, OutcomeType.DEAD_LETTERED, "GIVEN_UP", 0.0, 2e9, (), (), 0
    )
    await spool.settle([Settlement("default", [Completion(keys[40_000], outcome, envelope)])])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
PARKED = {"20000", "35000", "parked"}
# "event" is the row of bob that 0.1 wrote; 40,000 was given up.
OF_BOB = ["50000", "45000", "35000", "30000", "25000", "20000", "15000", "5000", "event"]
OF_HIS_EMAIL = ["50000", "45000", "35000", "30000", "25000", "20000", "15000", "10000", "event"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed") / "spool.db"
    path.write_bytes(gzip.decompress((ROOT / "tests" / "upgrade" / "spool_0_1.db.gz").read_bytes()))
    command = [sys.executable, "-c", FILLER, str(path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL  # noqa: S603 - ours
    return path


@pytest.fixture
async def spool(killed: Path, tmp_path: Path) -> AsyncIterator[SqliteSpool]:
    """Each test opens what the killed process left."""
    path = shutil.copytree(killed.parent, tmp_path / "copy") / killed.name
    spool = await open_spool(SqliteSettings(str(path), free_bytes_min=0))
    yield spool
    await spool.close()


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (TrailFilter(customer_id="bob"), OF_BOB),
        (TrailFilter(email="bob@x.org"), OF_HIS_EMAIL),
        (TrailFilter(customer_id="bob", email="bob@x.org"), [*OF_BOB[:7], "10000", *OF_BOB[7:]]),
        (TrailFilter(envelope_id="15000"), ["15000"]),
        (TrailFilter(envelope_id="35000", connection="default"), ["35000"]),
        (TrailFilter(envelope_id="40000"), []),
        (TrailFilter(customer_id="gil"), ["parked"]),
        (TrailFilter(envelope_id="half-email", email="eve@x.org"), ["half-email"]),
        (TrailFilter(customer_id="user-7"), [str(number) for number in range(49_957, 0, -999) if number % 5_000]),
    ],
)
async def test_everything_that_waits_is_found_after_a_kill_newest_first(
    spool: SqliteSpool, wanted: TrailFilter, names: list[str]
) -> None:
    rows = await spool.waiting_rows(await spool.find_waiting(wanted, 0, 1_000))
    assert [unpack(each.row.data, AcceptedEnvelope).envelope_id for each in rows] == names
    assert [each.parked for each in rows] == [name in PARKED for name in names]


@pytest.mark.parametrize(
    "wanted", [TrailFilter(customer_id="bob"), TrailFilter(email="bob@x.org"), TrailFilter(envelope_id="40000")]
)
async def test_given_up_envelope_is_found_after_a_kill(spool: SqliteSpool, wanted: TrailFilter) -> None:
    (found,) = await spool.trail_outcomes(wanted, 0, 10)
    assert (found.outcome.envelope_id, found.outcome.reason, found.dead_letter) == ("40000", "GIVEN_UP", True)
