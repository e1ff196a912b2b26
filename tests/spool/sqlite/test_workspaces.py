"""The stored workspaces in the file; what they are for is in the contract of the engines."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import CachedContact, Incoming, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from intercomd_daemon.spool.sqlite.contact_cache import EVICTED_PER_COMMIT

Make = Callable[..., Incoming]
Open = Callable[..., Awaitable[Spool]]


@pytest.fixture
def reopen(tmp_path: Path) -> Open:
    """Opens the same file again."""

    async def opened() -> Spool:
        return await open_spool(SqliteSettings(path=str(tmp_path / "spool.db"), free_bytes_min=0))

    return opened


async def test_workspace_is_remembered_over_a_restart(reopen: Open) -> None:
    spool = await reopen()
    assert await spool.set_workspaces({"default": "one"}) == []
    await spool.close()
    spool = await reopen()
    assert await spool.set_workspaces({"default": "two"}) == ["default"]
    await spool.close()
    spool = await reopen()
    assert await spool.set_workspaces({"default": "two"}) == []
    await spool.close()


async def test_many_cached_contacts_are_deleted_over_several_commits(reopen: Open, row: Make) -> None:
    spool = await reopen()
    await spool.set_workspaces({"default": "one"})
    lanes = [f"c:{number}" for number in range(2 * EVICTED_PER_COMMIT + 1)]
    data = pack({"plan": "pro"})
    await spool.settle([Settlement("default", contacts=[CachedContact(lane, f"id {lane}", data) for lane in lanes])])
    assert await spool.set_workspaces({"default": "two"}) == ["default"]
    await spool.append([row(lane.removeprefix("c:"), lane.removeprefix("c:")) for lane in lanes[::100]])
    batch = await spool.read("default", Priority.NORMAL, 0, 1_000, 1 << 20)
    assert batch.rows
    assert {entry.contact_id for entry in batch.contacts.values()} == {""}
    await spool.close()
