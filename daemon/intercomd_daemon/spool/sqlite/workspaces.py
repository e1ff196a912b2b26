"""The workspace that each connection delivered to last: what is cached of its contacts belongs to that one.

A rebuilt file no longer has them. Then the next workspace is taken for the same one, as with a file of 0.1.
"""

from collections.abc import Mapping

from intercomd_daemon.spool.sqlite import contact_cache
from intercomd_daemon.spool.sqlite.transaction import Transaction


def enter(transaction: Transaction, workspaces: Mapping[str, str]) -> list[str]:
    """Stores the workspace of each connection that has none yet; returns the connections that have another one."""
    moved: list[str] = []
    for name, workspace in workspaces.items():
        number = transaction.counters.connection(name).number
        stored = transaction.database.execute(
            "SELECT workspace FROM workspaces WHERE connection = ?", (number,)
        ).fetchone()
        if stored is None:
            _store(transaction, number, workspace)
        elif stored[0] != workspace:
            moved.append(name)
    return moved


def move(transaction: Transaction, name: str, workspace: str) -> bool:
    """Deletes some of a connection's cached contacts; once none is left, stores the new workspace and returns True."""
    number = transaction.counters.connection(name).number
    if contact_cache.forget(transaction, number):
        return False
    _store(transaction, number, workspace)
    return True


def _store(transaction: Transaction, number: int, workspace: str) -> None:
    transaction.database.execute(
        "INSERT INTO workspaces (connection, workspace) VALUES (?, ?)"
        " ON CONFLICT (connection) DO UPDATE SET workspace = excluded.workspace",
        (number, workspace),
    )
