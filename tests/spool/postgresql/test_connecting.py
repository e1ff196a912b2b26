"""Every session has the settings that bound what a partition leaves behind."""

import pytest

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.postgresql.connecting import connector
from intercomd_daemon.spool.postgresql.engine import open_spool
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings


async def test_session_has_time_limits_and_durable_commits(url: str) -> None:
    connection = await connector(PostgresqlSettings(url=url, lease_seconds=7.0))()
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
    assert [await connection.fetchval(f"SHOW {name}") for name in names] == ["5s", "30s", "7s", "on"]
    assert await connection.fetchval("SHOW client_connection_check_interval") == "7s"
    await connection.close()


@pytest.mark.parametrize("broken", ["postgresql://intercomd@/spool?host=/nowhere", "postgresql://x@127.0.0.1:1/spool"])
async def test_database_that_cannot_be_reached_makes_the_spool_unusable(broken: str) -> None:
    with pytest.raises(SpoolUnusable, match="cannot be used"):
        await open_spool(PostgresqlSettings(url=broken))
