"""What the contract leaves to this engine; the rest is in `tests/spool/test_contract*.py`."""

from collections.abc import Callable

from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import Incoming


async def test_memory_engine_starts_without_seconds(row: Callable[..., Incoming]) -> None:
    spool = MemorySpool()
    await spool.append([row("1", seconds=((1, 2),))])
    assert await spool.seconds() == []
    assert spool.usage().connections["default"].normal == 1
    assert MemorySpool().usage().connections["default"].normal == 0
