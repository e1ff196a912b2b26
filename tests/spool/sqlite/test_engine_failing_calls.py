"""What the engine promises, on a disk that fails in one call after the other, and for a while."""

from collections import Counter
from pathlib import Path

from disk.faulty import Kind
from spool.disk_failures import faults, play, rehearse

STRIDE = 12
"""Of the calls of a frequent kind one in so many fails here; all of them do in `tests/crash/disks.py`."""


async def test_whichever_call_fails_nothing_is_lost_done_twice_or_refused_without_need(tmp_path: Path) -> None:
    """Appending, settling, parking, reading, replaying, discarding, the turn of the duplicate window, and closing.

    What is refused is taken later; then the spool holds what it would hold had nothing failed, and through a power cut
    amid the failures too.
    """
    rehearsal = await rehearse(tmp_path)
    assert {Kind.READ, Kind.WRITE, Kind.SYNC, Kind.TRUNCATE, Kind.DELETE} <= rehearsal.calls.keys()
    chosen = faults(rehearsal.calls, STRIDE)
    trials = await play(tmp_path, rehearsal, chosen)
    assert all(trial.disk.failed for trial in trials)
    refused = Counter(fault.kind for fault, trial in zip(chosen, trials, strict=True) if trial.refused)
    assert all(refused[kind] > 3 for kind in (Kind.WRITE, Kind.SYNC)), refused
