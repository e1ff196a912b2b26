from pathlib import Path
from types import SimpleNamespace

from intercomd_daemon.spool.rows import PacingState
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool, pacing_state
from intercomd_daemon.spool.sqlite.transaction import Transaction

NOON = 1_750_000_000.0


async def test_state_is_restored_after_a_restart(tmp_path: Path, clock: SimpleNamespace) -> None:
    settings = SqliteSettings(str(tmp_path / "spool.db"), free_bytes_min=0)
    state = PacingState(167, NOON + 7, 100, NOON + 9)
    for expected in (None, state):
        spool = await open_spool(settings, wall=lambda: clock.wall)
        outflow = await spool.acquire("workspace")
        assert await outflow.load_pacing() == expected
        await outflow.save_pacing(state)
        await spool.close()


def test_states_of_ended_windows_are_deleted(transaction: Transaction) -> None:
    for number in range(20):
        transaction.now = NOON + number
        pacing_state.save(transaction, f"workspace {number}", PacingState(167, NOON + number + 5, number))
        pacing_state.save(transaction, f"workspace {number}", PacingState(167, NOON + number + 5, number))
    kept = transaction.database.execute("SELECT workspace FROM pacing ORDER BY window_ends").fetchall()
    assert kept == [(f"workspace {number}",) for number in range(15, 20)]
