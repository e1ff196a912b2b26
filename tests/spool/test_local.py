from intercomd_daemon.spool.base import Outflow
from intercomd_daemon.spool.local import LocalOutflow
from intercomd_daemon.spool.memory import MemorySpool


async def test_outflows_of_one_engine_share_what_they_save() -> None:
    """The rest is in `tests/spool/test_contract_outflow.py`."""
    pacing = {}
    outflow: Outflow = LocalOutflow(MemorySpool(), pacing, "one")
    assert await outflow.load_pacing() is None
    assert pacing == {}
