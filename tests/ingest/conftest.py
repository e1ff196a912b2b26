"""What the tests of accepting share: findings to read, rules to change, a report."""

from collections.abc import Callable

import pytest
from accepting import Told

from intercomd_daemon.envelope import Note
from intercomd_daemon.ingest.examined import Findings
from intercomd_daemon.ingest.limits import ConnectionRules


@pytest.fixture
def found() -> Findings:
    """Findings of nothing so far."""
    return Findings()


@pytest.fixture
def rules() -> ConnectionRules:
    """A connection with the contract's defaults."""
    return ConnectionRules(name="default")


@pytest.fixture
def told() -> Told:
    """A report."""
    return Told()


@pytest.fixture
def brief() -> Callable[[list[Note]], list[tuple[str, str]]]:
    """Notes without their messages, which every one must have."""

    def shorten(notes: list[Note]) -> list[tuple[str, str]]:
        assert all(note.message for note in notes)
        return [(note.reason, note.field) for note in notes]

    return shorten
