"""The tables and functions of the spool in the database, and their versions."""

import re
from pathlib import Path

import asyncpg

from intercomd_daemon.errors import SpoolUnusable

VERSION = 1
_SCHEMA = "intercomd"
DDL = (Path(__file__).parent / "schema.sql").read_text()
_TABLES = re.findall(r"^CREATE TABLE (\w+)", DDL, re.MULTILINE)
_MISSING_PRIVILEGES = """
SELECT privilege || ' on ' || relname FROM pg_class, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) privilege
WHERE relnamespace = to_regnamespace($1) AND relname = ANY($2) AND NOT has_table_privilege(pg_class.oid, privilege)
UNION ALL
SELECT 'USAGE on ' || relname FROM pg_class
WHERE relnamespace = to_regnamespace($1) AND relname = 'positions' AND NOT has_sequence_privilege(oid, 'USAGE')
UNION ALL
SELECT 'EXECUTE on ' || proname FROM pg_proc
WHERE pronamespace = to_regnamespace($1) AND NOT has_function_privilege(oid, 'EXECUTE')
"""
_NAMED_MAX = 3
"""Missing privileges that an error names."""
_LOCK = 7_415_501_023
"""The advisory lock of migrations."""
VERSION_MIN = 140_000
"""PostgreSQL 14."""
_UNUSABLE_ENCODING = """
SELECT pg_encoding_to_char(encoding) FROM pg_database
WHERE datname = current_database() AND pg_encoding_to_char(encoding) NOT IN ('UTF8', 'SQL_ASCII')
"""
"""The others lack characters; SQL_ASCII keeps the bytes as they come."""


async def check(connection: asyncpg.Connection) -> None:
    """Checks the server, and the version of the spool if it exists.

    Raises:
        SpoolUnusable: a daemon cannot use it.
    """
    if int(await connection.fetchval("SHOW server_version_num")) < VERSION_MIN:
        raise SpoolUnusable("the server is older than PostgreSQL 14: upgrade it, or use another one")
    if encoding := await connection.fetchval(_UNUSABLE_ENCODING):
        raise SpoolUnusable(
            f"the database has the encoding {encoding}, which lacks characters: create one with ENCODING 'UTF8'"
        )
    for name in ("fsync", "full_page_writes"):
        if await connection.fetchval(f"SHOW {name}") != "on":
            raise SpoolUnusable(f"the server runs with {name} = off and can lose or corrupt envelopes: turn it on")
    if await connection.fetchval(
        "SELECT NOT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1", _SCHEMA
    ):
        raise _lacks("USAGE on the schema")
    found = await _found(connection)
    if found is not None:
        _check_version(found[0])
        await _check_privileges(connection)


async def check_creation(connection: asyncpg.Connection) -> None:
    """Checks whether the role may create the tables, unless they exist, and leaves nothing behind.

    Raises:
        SpoolUnusable: the role may not.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        await create_if_missing(connection)
    finally:
        await transaction.rollback()


async def migrate(connection: asyncpg.Connection) -> str:
    """Creates the tables unless they exist; returns the id of the spool.

    Raises:
        SpoolUnusable: the server is too old or not safe, the role may not create the tables, or a newer release wrote
            them.
    """
    await check(connection)
    found = await _found(connection)
    if found is None:
        async with connection.transaction():
            await create_if_missing(connection)
        found = await _found(connection)
    if found is None:
        raise SpoolUnusable("the table intercomd.spool has no row: restore the database from a backup")
    version, spool_id = found
    _check_version(version)
    return spool_id


async def _check_privileges(connection: asyncpg.Connection) -> None:
    """Checks what the role of a daemon needs, so that no call fails later for the lack of it."""
    rows = await connection.fetch(_MISSING_PRIVILEGES, _SCHEMA, _TABLES)
    if rows:
        named = ", ".join(row[0] for row in rows[:_NAMED_MAX])
        raise _lacks(named if len(rows) <= _NAMED_MAX else f"{named} and {len(rows) - _NAMED_MAX} more")


def _lacks(privileges: str) -> SpoolUnusable:
    return SpoolUnusable(
        f"the role lacks privileges in the schema {_SCHEMA}: {privileges};"
        " grant it all that `intercomd spool schema --help` lists"
    )


def _check_version(version: int) -> None:
    if version != VERSION:
        text = f"the spool has schema version {version}, and this release uses version {VERSION}"
        raise SpoolUnusable(f"{text}: run the release that wrote it")


async def create_if_missing(connection: asyncpg.Connection) -> None:
    """Creates the tables unless they exist, in the transaction of the caller.

    Raises:
        SpoolUnusable: the role may not.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    if await _found(connection) is None:
        try:
            await connection.execute(DDL)
        except asyncpg.InsufficientPrivilegeError as error:
            raise SpoolUnusable(
                f"the role may not create the spool's schema: {error};"
                " run the output of `intercomd spool schema` as the owner of the database"
            ) from error


async def exists(connection: asyncpg.Connection) -> bool:
    """Whether the spool's tables exist."""
    return await _found(connection) is not None


async def _found(connection: asyncpg.Connection) -> tuple[int, str] | None:
    """Returns the version and the id of the spool; None if it does not exist.

    Raises:
        SpoolUnusable: the role may not read them.
    """
    if await connection.fetchval("SELECT to_regclass('intercomd.spool')") is None:
        return None
    try:
        row = await connection.fetchrow("SELECT version, spool_id FROM intercomd.spool")
    except asyncpg.InsufficientPrivilegeError as error:
        raise _lacks("SELECT on spool") from error
    return (row["version"], row["spool_id"]) if row else None
