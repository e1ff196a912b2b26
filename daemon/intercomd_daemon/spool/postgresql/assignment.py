"""Which workspace a connection delivers to: stored in its row, and announced by each process in `members`."""

from intercomd_daemon.spool.postgresql.session import Session

CONTACTS_FORGOTTEN = 1_000
"""Contacts of a connection whose workspace changed that one statement deletes."""
_FORGET_CONTACTS = """
WITH
    gone AS (DELETE FROM contacts WHERE number IN (SELECT number FROM contacts WHERE connection = $1 LIMIT $2)
        RETURNING number),
    forgotten AS (DELETE FROM identities WHERE contact IN (SELECT number FROM gone))
SELECT FROM gone LIMIT 1
"""
_IS_SERVED_ELSEWHERE = """
SELECT EXISTS (
    SELECT FROM members, unnest(connections, workspaces) AS served (connection, workspace)
    WHERE incarnation <> $1 AND served.connection = $2 AND served.workspace <> $3
)
"""


async def is_assigned_elsewhere(reading: Session, number: int, workspace: str) -> bool:
    """Returns whether a connection has delivered to another workspace."""
    before = await reading.fetch_value("SELECT workspace FROM connections WHERE number = $1", number)
    return before not in {"", workspace}


async def is_served_elsewhere(reading: Session, incarnation: str, name: str, workspace: str) -> bool:
    """Returns whether another process, which may have failed within an hour, has another workspace for a connection."""
    return bool(await reading.fetch_value(_IS_SERVED_ELSEWHERE, incarnation, name, workspace))


async def assign(reading: Session, number: int, workspace: str) -> None:
    """Stores the workspace of a connection; what was cached of its contacts in another one is deleted."""
    if await is_assigned_elsewhere(reading, number, workspace):
        while await reading.fetch(_FORGET_CONTACTS, number, CONTACTS_FORGOTTEN):
            pass
    await reading.fetch("UPDATE connections SET workspace = $2 WHERE number = $1", number, workspace)
