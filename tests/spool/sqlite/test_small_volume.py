"""Small volumes, each a file system of its own: they fill up, the daemon dies, and everything accepted still ends."""

import json
import subprocess
from pathlib import Path

import pytest

from disk.small_volume import command

MIB = 1 << 20


@pytest.mark.fills("spool.quota.SETTLING_BYTES")
@pytest.mark.parametrize(
    ("volume", "free_bytes_min", "row_bytes", "rows"),
    [
        (4 * MIB, 0, 300, 1),
        (4 * MIB, 0, 30_000, 2),
        (8 * MIB, 0, 300, 50),
        (8 * MIB, 1 * MIB, 3_000, 20),
        (24 * MIB, 4 * MIB, 300, 50),
        (24 * MIB, 0, 100_000, 5),
        (64 * MIB, 0, 3_000, 100),
    ],
)
def test_a_full_volume_has_room_to_end_all_that_was_accepted(
    tmp_path: Path, volume: int, free_bytes_min: int, row_bytes: int, rows: int
) -> None:
    words = command(tmp_path, volume, free_bytes_min, row_bytes, rows)
    played = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert played.returncode == 0, played.stderr
    (accepted, refusal), (read, waiting, dead_letters) = map(json.loads, played.stdout.splitlines())
    assert "settling and checkpoints need" in refusal
    assert accepted >= rows
    assert (read, waiting, dead_letters) == (accepted, 0, accepted // 3)
