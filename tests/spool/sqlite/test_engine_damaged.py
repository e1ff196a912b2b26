"""A spool whose files were corrupted at random: opening it continues with what is readable, and invents nothing."""

from pathlib import Path

import pytest

from spool import corruption
from spool.corruption import CORRUPTIONS, Corrupted, Specimen

SEEDS = range(4)
"""Seeds of each kind of corruption; `python tests/crash/corruption.py` runs more."""


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_readable_content_survives_any_corruption(specimen: Specimen, tmp_path: Path, name: str) -> None:
    assert await corruption.sweep(specimen, {name: CORRUPTIONS[name]}, SEEDS, tmp_path) == []


async def test_corruption_check_detects_wrong_results(specimen: Specimen, tmp_path: Path) -> None:
    """Held against the rows of a spool from which one was taken, and to which one was added, by hand."""
    filled = specimen.filled
    (taken, row), *others = filled.rows.items()
    untouched = Corrupted("nothing", specimen.closed)
    fewer = corruption.Filled(**{**vars(filled), "sent": dict(others), "rows": dict(others)})
    assert any(
        f"row {taken} is not" in each for each in await corruption.open_and_check(untouched, fewer, tmp_path / "a")
    )
    more = corruption.Filled(**{**vars(filled), "rows": {**filled.rows, taken + 1: row}})
    assert any("lost in silence" in each for each in await corruption.open_and_check(untouched, more, tmp_path / "b"))
    assert any("lost in silence" in each for each in corruption.verify_and_check(untouched, more, tmp_path / "c"))
    assert await corruption.open_and_check(untouched, filled, tmp_path / "d") == []
