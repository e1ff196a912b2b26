"""What the tests of accepting share: findings to read, rules to change, a report, a service."""

from collections.abc import AsyncIterator, Callable

import pytest

from ingest.acceptance import Told
from ingest.server import Served
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.spool.memory import MemorySpool


@pytest.fixture
def found() -> Findings:
    """Findings of nothing so far."""
    return Findings()


@pytest.fixture
def rules() -> ConnectionSettings:
    """A connection with the contract's defaults."""
    return ConnectionSettings(name="default")


@pytest.fixture
def told() -> Told:
    """A report."""
    return Told()


@pytest.fixture
def brief() -> Callable[[list[Finding]], list[tuple[str, str]]]:
    """Notes without their messages, which every one must have."""

    def shorten(findings: list[Finding]) -> list[tuple[str, str]]:
        assert all(finding.message for finding in findings)
        return [(finding.reason, finding.field) for finding in findings]

    return shorten


@pytest.fixture
def spool() -> MemorySpool:
    """An empty spool."""
    return MemorySpool()


@pytest.fixture
async def served(spool: MemorySpool, told: Told) -> AsyncIterator[Served]:
    """A service that listens."""
    async with Served(spool, told) as served:
        yield served
