"""What the engine's parts are tested with: a transaction on a database of its own, and the files of a filled spool."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from intercomd_daemon.spool.sqlite import SqliteSettings
from intercomd_daemon.spool.sqlite.counters import open_counters
from intercomd_daemon.spool.sqlite.database import open_database
from intercomd_daemon.spool.sqlite.transaction import Transaction
from spool import corruption
from spool.corruption import Specimen


@pytest.fixture
def transaction(tmp_path: Path, clock: SimpleNamespace) -> Iterator[Transaction]:
    """Begun, and never committed; the connections `eu` and `us` have the numbers 1 and 2."""
    database = open_database(str(tmp_path / "part.db"), clock.wall)
    counters = open_counters(database, ("eu", "us"))
    database.execute("BEGIN")
    yield Transaction(database, counters, clock.wall, clock.monotonic)
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> SqliteSettings:
    """A spool in a file of its own."""
    return SqliteSettings(str(tmp_path / "own.db"), free_bytes_min=0)


@pytest.fixture(scope="session")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """A spool with something of everything in it."""
    return asyncio.run(corruption.specimen(tmp_path_factory.mktemp("specimen")))
