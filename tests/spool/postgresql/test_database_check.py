"""What `intercomd check` finds out about a database."""

import asyncpg
import pytest

from database.server import server
from intercomd_daemon.spool.postgresql.database_check import check_database


async def test_usable_database_has_no_problem(url: str) -> None:
    assert await check_database(url, "") == ""


async def test_empty_database_has_no_problem_and_stays_empty() -> None:
    url = server().url(server().database())
    assert await check_database(url, "") == ""
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regnamespace('intercomd')") is None
    await connection.close()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("postgresql://intercomd@/nothing?host=/nowhere", "cannot be reached"),
        ("postgresql://x@127.0.0.1:1/spool", "cannot be reached"),
    ],
)
async def test_database_that_cannot_be_reached_is_a_problem(broken: str, reason: str) -> None:
    problem = await check_database(broken, "")
    assert reason in problem
    assert problem.endswith("; check spool.url, the network and the database's log")


async def test_newer_schema_is_a_problem(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE intercomd.spool SET version = 99")
    await connection.close()
    assert "version 99" in await check_database(url, "")


async def test_tables_of_another_program_in_the_schema_are_a_problem() -> None:
    name = server().database()
    server().psql("CREATE SCHEMA intercomd; CREATE TABLE intercomd.log (line text)", name)
    assert 'relation "log" already exists' in await check_database(server().url(name), "")


async def test_unreadable_password_is_named_with_the_fix(url: str) -> None:
    problem = await check_database(url, "/nowhere/password")
    assert "spool.password_file /nowhere/password: No such file or directory; put the password there" in problem


@pytest.mark.parametrize(("encoding", "usable"), [("LATIN1", False), ("WIN1252", False), ("SQL_ASCII", True)])
async def test_encoding_that_lacks_characters_is_a_problem(encoding: str, usable: bool) -> None:
    name = f"encoded_{encoding.lower()}"
    server().psql(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    problem = await check_database(server().url(name), "")
    assert problem == "" if usable else f"the encoding {encoding}, which lacks characters" in problem
