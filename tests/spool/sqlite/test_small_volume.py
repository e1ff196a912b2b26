"""Small volumes, each a file system of its own: they fill up, the daemon dies, and everything accepted is settled."""

import json
import subprocess
from pathlib import Path

import pytest

from disk.small_volume import Load, command

MIB = 1 << 20


@pytest.mark.fills("spool.quota.SETTLING_BYTES")
@pytest.mark.fills("spool.quota.DEAD_LETTER_BYTES")
@pytest.mark.parametrize(
    ("volume", "load"),
    [
        (4 * MIB, Load(0, 300, 1, 3, 200)),
        (4 * MIB, Load(0, 300, 1, 1, 65_536)),
        (4 * MIB, Load(0, 30_000, 2, 3, 65_536)),
        (8 * MIB, Load(0, 300, 50, 1, 200)),
        (8 * MIB, Load(1 * MIB, 3_000, 20, 3, 200)),
        (24 * MIB, Load(4 * MIB, 300, 50, 3, 200)),
        (24 * MIB, Load(0, 100_000, 5, 1, 65_536)),
        (24 * MIB, Load(0, 100, 50, 1, 0)),
        (64 * MIB, Load(0, 3_000, 100, 2, 65_536)),
        (64 * MIB, Load(0, 0, 50, 1, 65_536, events=8, id_bytes=36)),
        (64 * MIB, Load(0, 0, 10, 1, 200, events=101, id_bytes=36)),
        (24 * MIB, Load(0, 1_000, 10, 2, 0, events=101)),
        (24 * MIB, Load(0, 0, 50, 1, 0, events=1, id_bytes=128)),
        (64 * MIB, Load(0, 0, 50, 1, 0, events=20, id_bytes=128)),
    ],
)
def test_full_volume_has_room_to_settle_everything_accepted(tmp_path: Path, volume: int, load: Load) -> None:
    """Also if every envelope becomes a dead letter with the largest answer, or has many events or long ids."""
    words = command(tmp_path, volume, load)
    played = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert played.returncode == 0, played.stderr
    (accepted, refusal), (read, waiting, dead_letters) = map(json.loads, played.stdout.splitlines())
    assert "settling and checkpoints need" in refusal
    assert accepted >= load.rows
    assert (read, waiting, dead_letters) == (accepted, 0, accepted // load.dead)
