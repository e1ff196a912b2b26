import pytest

from delivery.lane_loader import Feeding
from intercomd_daemon.spool.memory import MemorySpool


@pytest.fixture
async def spool() -> MemorySpool:
    return MemorySpool()


@pytest.fixture
async def feeding(spool: MemorySpool) -> Feeding:
    return Feeding(spool)
