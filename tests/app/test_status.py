"""What a daemon says of itself."""

from pathlib import Path

import pytest

from daemons.in_process import daemon_of, settings
from intercomd_daemon.app.status import STALLED_SECONDS
from intercomd_daemon.operations.daemon_control import HealthCheck
from intercomd_daemon.operations.health import Health
from intercomd_daemon.spool.memory import MemorySpool


class BusySpool(MemorySpool):
    """A spool whose commit has been under way for a while."""

    seconds = 0.0

    def busy_seconds(self) -> float:
        return self.seconds


@pytest.mark.fills("app.status.STALLED_SECONDS")
async def test_commit_that_hangs_fails_the_check_of_the_spool(tmp_path: Path) -> None:
    status = daemon_of(settings(tmp_path, "memory:"))[0].status
    assert status.checks() == [HealthCheck("spool", moves=True)]
    spool = BusySpool()
    status.set_spool(spool)
    assert status.checks() == [HealthCheck("spool", moves=True)]
    spool.seconds = STALLED_SECONDS + 1
    assert status.checks() == [HealthCheck("spool", moves=False, detail="a commit has been under way for 61 s")]
    await spool.close()


async def test_closed_spool_of_a_serving_daemon_fails_the_check(tmp_path: Path) -> None:
    status = daemon_of(settings(tmp_path, "memory:"))[0].status
    status.set_serving(serving=True)
    assert not status.alive()
    status.set_serving(serving=False)
    assert status.alive()


async def test_health_of_a_listener_follows_the_status(tmp_path: Path) -> None:
    status = daemon_of(settings(tmp_path, "memory:"))[0].status
    health = Health(())
    status.add_health(health)
    status.set_serving(serving=True)
    assert (health.alive(), health._status) == (False, 1)
    status.set_serving(serving=False)
    assert (health.alive(), health._status) == (True, 2)


def test_usage_is_empty_before_the_spool_is_open(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    status = daemon_of(chosen)[0].status
    assert (status.usage().connections, status.usage().bytes_max) == ({}, chosen.spool.bytes_max)
    assert status.fleet() is None
    assert status.lane_state("default", "u1", 1) is None
