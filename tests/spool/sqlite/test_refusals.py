"""Refusals over restarts of the spool."""

import sqlite3
from contextlib import closing
from pathlib import Path

from intercomd_daemon.envelope import Finding, Refusal
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from intercomd_daemon.spool.trail import TrailFilter

NOON = 1_750_000_000.0
EVERYTHING = TrailFilter()


def made(name: str) -> Refusal:
    violations = (Finding("INVALID_EMAIL", "identity.email", "invalid email"),)
    return Refusal(NOON, name, "default", "ann", "ann@example.com", 4, violations, "order", "billing")


async def names_after_restart(path: Path, *, free_bytes_min: int = 0, now: float = NOON) -> list[str]:
    settings = SqliteSettings(str(path), free_bytes_min=free_bytes_min)
    spool = await open_spool(settings, wall=lambda: now)
    found = await spool.refusals(EVERYTHING, 0, 10)
    await spool.close()
    return [each.envelope_id for each in found]


async def fill(path: Path, names: list[str], *, free_bytes_min: int = 0) -> int:
    """Keeps refusals and closes the spool; returns the commits that keeping them took."""
    spool = await open_spool(SqliteSettings(str(path), free_bytes_min=free_bytes_min), wall=lambda: NOON)
    for name in names:
        spool.keep_refusals([made(name)])
    commits = spool.commits
    await spool.close()
    return commits


async def test_refusals_outlive_clean_restarts_and_cost_no_commit_before(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    assert await fill(path, ["1", "2"]) == 0
    assert await names_after_restart(path) == ["2", "1"]
    assert await fill(path, ["3"]) == 0
    assert await names_after_restart(path) == ["3", "2", "1"]
    assert await names_after_restart(path, now=NOON + 4 * 86_400.0) == []


async def test_saved_refusals_that_are_corrupt_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    await fill(path, ["1", "2", "3"])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE refusals SET data = x'00' WHERE number = 2")
    assert await names_after_restart(path) == ["3", "1"]


async def test_refusals_are_not_saved_on_a_disk_without_room(tmp_path: Path) -> None:
    """They never take the room that delivering needs."""
    path = tmp_path / "spool.db"
    await fill(path, ["1"])
    await fill(path, ["2"], free_bytes_min=1 << 60)
    assert await names_after_restart(path) == ["1"]
