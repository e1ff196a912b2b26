from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import PacingState


async def test_outflows_of_one_workspace_share_what_they_save() -> None:
    """The rest is in `tests/spool/test_contract_outflow.py`."""
    engine = MemorySpool(wall=lambda: 5.0)
    one: Outflow = LocalOutflow(engine, "one")
    await one.save_pacing(PacingState(167, 9.0, 3))
    assert await LocalOutflow(engine, "one").load_pacing() == PacingState(167, 9.0, 3)
    assert await LocalOutflow(engine, "two").load_pacing() is None
