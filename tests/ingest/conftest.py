"""Fixtures of the tests of ingest: findings, settings of a connection, a report, a service."""

from collections.abc import AsyncIterator, Callable

import pytest

from ingest.acceptance import RecordingReport
from ingest.server import Served
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.spool.memory import MemorySpool


@pytest.fixture
def found() -> Findings:
    """Returns empty findings."""
    return Findings()


@pytest.fixture
def rules() -> ConnectionSettings:
    """Returns the settings of a connection with the contract's defaults."""
    return ConnectionSettings(name="default")


@pytest.fixture
def report() -> RecordingReport:
    """Returns a report that records decisions."""
    return RecordingReport()


@pytest.fixture
def brief() -> Callable[[list[Finding]], list[tuple[str, str]]]:
    """Returns (reason, field) of findings, and checks that each has a message."""

    def shorten(findings: list[Finding]) -> list[tuple[str, str]]:
        assert all(finding.message for finding in findings)
        return [(finding.reason, finding.field) for finding in findings]

    return shorten


@pytest.fixture
def spool() -> MemorySpool:
    """Returns an empty spool."""
    return MemorySpool()


@pytest.fixture
async def served(spool: MemorySpool, report: RecordingReport) -> AsyncIterator[Served]:
    """Yields a running service and its client."""
    async with Served(spool, report) as served:
        yield served
