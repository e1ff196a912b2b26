"""The schema: created once, by the daemon that comes first, and used by roles that may not create anything."""

import asyncio

import asyncpg
import pytest

from database.server import server
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.postgresql.engine import open_spool
from intercomd_daemon.spool.postgresql.schema import DDL, migrate
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings


async def test_several_daemons_create_one_spool_together() -> None:
    url = server().url(server().database())
    spools = await asyncio.gather(*(open_spool(PostgresqlSettings(url=url)) for _ in range(3)))
    assert len({spool.usage().spool_id for spool in spools}) == 1
    for spool in spools:
        await spool.close()


async def test_role_without_rights_to_create_uses_a_schema_that_exists() -> None:
    name = server().database()
    role = f"runtime_{name}"
    grants = (
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA intercomd TO {role};"
        f" GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA intercomd TO {role};"
        f" GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA intercomd TO {role};"
    )
    server().psql(f"BEGIN; {DDL} {grants} COMMIT;", name)
    spool = await open_spool(PostgresqlSettings(url=server().url(name).replace("intercomd@", f"{role}@")))
    assert spool.usage().connections["default"].normal == 0
    await spool.close()


async def test_role_that_may_not_create_the_schema_is_refused_with_the_remedy() -> None:
    name = server().database()
    server().psql(f"CREATE ROLE poor_{name} LOGIN", name)
    url = server().url(name).replace("intercomd@", f"poor_{name}@")
    with pytest.raises(SpoolUnusable, match="intercomd spool schema"):
        await open_spool(PostgresqlSettings(url=url))


async def test_schema_of_another_version_is_refused(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE intercomd.spool SET version = 99")
    with pytest.raises(SpoolUnusable, match="version 99"):
        await migrate(connection)
    await connection.close()
