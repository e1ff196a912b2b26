"""The schema: created once, by the daemon that comes first, and used by roles that may not create anything."""

import asyncio

import asyncpg
import pytest

from database.server import server
from documents import DOCS, blocks
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.postgresql.database_check import check_database
from intercomd_daemon.spool.postgresql.engine import open_spool
from intercomd_daemon.spool.postgresql.schema import DDL, migrate
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings


async def test_several_daemons_create_one_spool_together() -> None:
    url = server().url(server().database())
    spools = await asyncio.gather(*(open_spool(PostgresqlSettings(url=url)) for _ in range(3)))
    assert len({spool.usage().spool_id for spool in spools}) == 1
    for spool in spools:
        await spool.close()


GRANTS = blocks(DOCS / "fleet.md", "sql")[0].replace(" TO intercomd;", " TO {role};")
"""The statements of the page."""


def url_of_runtime_role(changes: str = "") -> str:
    """Returns the `spool.url` of a role that may use a spool, not create it; `changes` are made to its privileges."""
    name = server().database()
    role = f"runtime_{name}"
    server().psql(f"BEGIN; {DDL} CREATE ROLE {role} LOGIN; {GRANTS.format(role=role)} COMMIT;", name)
    server().psql(changes.format(role=role) or "SELECT 1", name)
    return server().url(name).replace("intercomd@", f"{role}@")


async def test_role_without_rights_to_create_uses_a_schema_that_exists() -> None:
    url = url_of_runtime_role()
    assert await check_database(url, "") == ""
    spool = await open_spool(PostgresqlSettings(url=url))
    assert spool.usage().connections["default"].normal == 0
    await spool.close()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ("REVOKE USAGE ON SCHEMA intercomd FROM {role}", "USAGE on the schema"),
        ("REVOKE ALL ON ALL TABLES IN SCHEMA intercomd FROM {role}", "SELECT on spool"),
        ("REVOKE INSERT ON intercomd.log FROM {role}", "INSERT on log"),
        ("REVOKE TRUNCATE ON intercomd.recent_1, intercomd.journal_2 FROM {role}", "TRUNCATE on recent_1"),
        ("REVOKE USAGE ON SEQUENCE intercomd.positions FROM {role}", "USAGE on positions"),
        ("REVOKE EXECUTE ON FUNCTION intercomd.fence_1 FROM PUBLIC, {role}", "EXECUTE on fence_1"),
        (
            "REVOKE ALL ON ALL TABLES IN SCHEMA intercomd FROM {role}; GRANT SELECT ON intercomd.spool TO {role}",
            " more;",
        ),
    ],
)
async def test_missing_privilege_is_named_at_the_start(changes: str, missing: str) -> None:
    url = url_of_runtime_role(changes)
    with pytest.raises(SpoolUnusable, match="the role lacks privileges") as refused:
        await open_spool(PostgresqlSettings(url=url))
    assert missing in str(refused.value)
    assert str(refused.value).endswith("grant it all that `intercomd spool schema --help` lists")
    assert await check_database(url, "") == str(refused.value)


async def test_privileges_on_other_tables_of_the_schema_do_not_matter() -> None:
    url = url_of_runtime_role("CREATE TABLE intercomd.notes (text text); REVOKE ALL ON intercomd.notes FROM {role}")
    assert await check_database(url, "") == ""


async def test_role_creates_the_tables_in_a_schema_that_it_owns() -> None:
    name = server().database()
    server().psql(f"CREATE ROLE owner_{name} LOGIN; CREATE SCHEMA intercomd AUTHORIZATION owner_{name}", name)
    url = server().url(name).replace("intercomd@", f"owner_{name}@")
    assert await check_database(url, "") == ""
    spool = await open_spool(PostgresqlSettings(url=url))
    assert spool.usage().connections["default"].normal == 0
    await spool.close()


async def test_role_that_may_not_create_the_schema_is_refused_with_the_remedy() -> None:
    name = server().database()
    server().psql(f"CREATE ROLE poor_{name} LOGIN", name)
    url = server().url(name).replace("intercomd@", f"poor_{name}@")
    with pytest.raises(SpoolUnusable, match="intercomd spool schema") as refused:
        await open_spool(PostgresqlSettings(url=url))
    assert await check_database(url, "") == str(refused.value)


async def test_schema_of_another_version_is_refused(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE intercomd.spool SET version = 99")
    with pytest.raises(SpoolUnusable, match="version 99"):
        await migrate(connection)
    await connection.close()
