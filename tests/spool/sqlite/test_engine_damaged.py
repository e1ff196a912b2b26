"""A spool whose files were corrupted at random: opening it continues with what is readable, and invents nothing."""

from pathlib import Path

import pytest

from spool import corruption
from spool.corruption import CORRUPTIONS, Corrupted, Specimen

SEEDS = range(4)
"""Of each way; `python tests/crash/rot.py` takes as many as one has time for."""


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_whatever_happens_to_the_files_what_can_be_read_stays(
    specimen: Specimen, tmp_path: Path, name: str
) -> None:
    assert await corruption.sweep(specimen, {name: CORRUPTIONS[name]}, SEEDS, tmp_path) == []


async def test_the_judgement_sees_what_should_not_have_been(specimen: Specimen, tmp_path: Path) -> None:
    """Held against the rows of a spool from which one was taken, and to which one was added, by hand."""
    filled = specimen.filled
    (taken, row), *others = filled.rows.items()
    untouched = Corrupted("nothing", specimen.closed)
    fewer = corruption.Filled(**{**vars(filled), "sent": dict(others), "rows": dict(others)})
    assert any(
        f"row {taken} is not" in each for each in await corruption.open_and_judge(untouched, fewer, tmp_path / "a")
    )
    more = corruption.Filled(**{**vars(filled), "rows": {**filled.rows, taken + 1: row}})
    assert any("lost in silence" in each for each in await corruption.open_and_judge(untouched, more, tmp_path / "b"))
    assert any("lost in silence" in each for each in corruption.look_and_judge(untouched, more, tmp_path / "c"))
    assert await corruption.open_and_judge(untouched, filled, tmp_path / "d") == []
