import pytest

from delivery.lane_loader import Loading
from intercomd_daemon.spool.memory import MemorySpool


@pytest.fixture
async def spool() -> MemorySpool:
    return MemorySpool()


@pytest.fixture
async def loading(spool: MemorySpool) -> Loading:
    return Loading(spool)
