"""The pacing state of each workspace, saved when it is released, so that a restart continues the window.

A row is deleted once its window has ended; so the table holds the workspaces that were released in the last minute.
"""

from intercomd_daemon.spool.rows import PacingState
from intercomd_daemon.spool.sqlite.transaction import Transaction


def save(transaction: Transaction, workspace: str, state: PacingState) -> None:
    """Saves the state of a workspace."""
    transaction.database.execute(
        "DELETE FROM pacing WHERE window_ends <= ? OR workspace = ?", (transaction.now, workspace)
    )
    transaction.database.execute("INSERT INTO pacing VALUES (?, ?, ?, ?, ?)", (workspace, *state))


def load(transaction: Transaction, workspace: str) -> PacingState | None:
    """Returns the state of a workspace, unless its window has ended."""
    found = transaction.database.execute(
        "SELECT call_limit, window_ends, calls_used, reset FROM pacing WHERE workspace = ? AND window_ends > ?",
        (workspace, transaction.now),
    ).fetchone()
    return PacingState(*found) if found else None
