"""Small volumes, each a file system of its own: they fill up, the daemon dies, and everything accepted is settled."""

import json
import subprocess
from pathlib import Path

import pytest

from disk.small_volume import command

MIB = 1 << 20


@pytest.mark.fills("spool.quota.SETTLING_BYTES")
@pytest.mark.fills("spool.quota.DEAD_LETTER_BYTES")
@pytest.mark.parametrize(
    ("volume", "free_bytes_min", "row_bytes", "rows", "dead", "answer_bytes"),
    [
        (4 * MIB, 0, 300, 1, 3, 200),
        (4 * MIB, 0, 300, 1, 1, 65_536),
        (4 * MIB, 0, 30_000, 2, 3, 65_536),
        (8 * MIB, 0, 300, 50, 1, 200),
        (8 * MIB, 1 * MIB, 3_000, 20, 3, 200),
        (24 * MIB, 4 * MIB, 300, 50, 3, 200),
        (24 * MIB, 0, 100_000, 5, 1, 65_536),
        (24 * MIB, 0, 100, 50, 1, 0),
        (64 * MIB, 0, 3_000, 100, 2, 65_536),
    ],
)
def test_full_volume_has_room_to_settle_everything_accepted(
    tmp_path: Path, volume: int, free_bytes_min: int, row_bytes: int, rows: int, dead: int, answer_bytes: int
) -> None:
    """Also if every envelope becomes a dead letter with the largest answer."""
    words = command(tmp_path, volume, free_bytes_min, row_bytes, rows, dead, answer_bytes)
    played = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert played.returncode == 0, played.stderr
    (accepted, refusal), (read, waiting, dead_letters) = map(json.loads, played.stdout.splitlines())
    assert "settling and checkpoints need" in refusal
    assert accepted >= rows
    assert (read, waiting, dead_letters) == (accepted, 0, accepted // dead)
