"""What the repair's tests share: a filled spool's files, closed, and SQL that corrupts them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from spool import corruption
from spool.corruption import Specimen

Corrupt = Callable[..., None]


@pytest.fixture
def spool(specimen: Specimen, tmp_path: Path) -> Path:
    """The file of a closed spool with something of everything in it."""
    return corruption.put(specimen.closed, tmp_path)


@pytest.fixture
def corrupt(spool: Path) -> Corrupt:
    """Changes rows of the spool behind its back."""

    def run(statement: str, *values: object) -> None:
        with closing(sqlite3.connect(spool)) as database:
            assert database.execute(statement, values).rowcount
            database.commit()

    return run
