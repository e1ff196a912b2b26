"""A spool changes between agent and daemon only while it holds no envelope."""

import pytest

from intercomd_daemon.app.role import check_role
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool import record
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import Incoming

DATA = record.pack(AcceptedEnvelope("a", "u-1", "", 1.0, (), (), "", b""))
ROW = Incoming("default", Priority.NORMAL, "c:u-1", "a", DATA)


async def test_empty_spool_takes_either_role() -> None:
    spool = MemorySpool()
    for agent in (True, False, True, True):
        await check_role(spool, agent=agent)


@pytest.mark.parametrize("agent", [True, False])
async def test_envelopes_of_the_other_role_are_refused(*, agent: bool) -> None:
    spool = MemorySpool()
    await check_role(spool, agent=agent)
    await spool.append([ROW])
    await check_role(spool, agent=agent)
    with pytest.raises(SpoolUnusable, match="1 waiting envelopes and 0 dead letters") as refused:
        await check_role(spool, agent=not agent)
    assert "replay or discard dead letters" in str(refused.value)


async def test_spool_of_an_earlier_release_is_a_daemons() -> None:
    spool = MemorySpool()
    await spool.append([ROW])
    await check_role(spool, agent=False)
    with pytest.raises(SpoolUnusable, match=r"without upstream\.target"):
        await check_role(spool, agent=True)
