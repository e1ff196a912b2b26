"""Every session has the settings that bound what a partition leaves behind."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import asyncpg
import pytest

from database.server import Server, server
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.postgresql.connecting import (
    IGNORED,
    PASSWORD_BYTES_MAX,
    PEM_BYTES_MAX,
    PasswordUnreadable,
    connector,
    hosts_of,
    password,
    reason_of,
    without_ignored,
)
from intercomd_daemon.spool.postgresql.database_check import check_database
from intercomd_daemon.spool.postgresql.engine import open_spool
from intercomd_daemon.spool.postgresql.pooler import SESSIONS
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings

Host = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def over_tcp() -> Iterator[str]:
    """The URL of an empty database that is reached over TCP, at a loopback address of this process."""
    address = str(IPv4Address((127 << 24) + (1 << 23) + os.getpid()))
    listening = Server({"listen_addresses": address})
    listening.start()
    yield f"postgresql://intercomd@{address}/{listening.database()}"
    listening.close()


async def test_session_has_every_time_limit(over_tcp: str) -> None:
    connection = await connector(PostgresqlSettings(url=over_tcp, lease_seconds=7.0))()
    expected = {
        "lock_timeout": "5s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "7s",
        "client_connection_check_interval": "7s",
        "tcp_keepalives_idle": "7",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "7000",
    }
    found = {name: await connection.fetchval(f"SHOW {name}") for name in expected}
    assert found == expected
    raw = connection._transport.get_extra_info("socket")
    assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7_000
    await connection.close()


@pytest.mark.parametrize(
    ("given", "kept"), [("off", "on"), ("local", "on"), ("remote_write", "on"), ("remote_apply", "remote_apply")]
)
async def test_session_commits_durably_whatever_the_database_says(url: str, given: str, kept: str) -> None:
    connection = await asyncpg.connect(url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = {given}")
    await connection.close()
    connection = await connector(PostgresqlSettings(url=url))()
    assert await connection.fetchval("SHOW synchronous_commit") == kept
    await connection.close()


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("default_transaction_isolation", "'repeatable read'", "read committed"),
        ("default_transaction_isolation", "serializable", "read committed"),
        ("idle_session_timeout", "'1s'", "0"),
        ("client_min_messages", "error", "warning"),
        ("statement_timeout", "'1ms'", "30s"),
        ("search_path", "public", "intercomd"),
    ],
)
async def test_session_keeps_its_settings_whatever_the_database_says(
    url: str, name: str, given: str, kept: str
) -> None:
    database = url.partition("@/")[2].partition("?")[0]
    server().psql(f"ALTER DATABASE {database} SET {name} = {given}")
    connection = await connector(PostgresqlSettings(url=url))()
    assert await connection.fetchval(f"SHOW {name}") == kept
    await connection.close()


async def test_time_of_a_transaction_has_no_limit_where_the_server_knows_one(url: str) -> None:
    database = url.partition("@/")[2].partition("?")[0]
    if int(server().psql("SHOW server_version_num")) >= 170_000:
        server().psql(f"ALTER DATABASE {database} SET transaction_timeout = '1s'")
    connection = await connector(PostgresqlSettings(url=url))()
    assert await connection.fetchval("SELECT current_setting('transaction_timeout', true)") in {"0", None}
    await connection.close()


@pytest.mark.parametrize("broken", ["postgresql://intercomd@/spool?host=/nowhere", "postgresql://x@127.0.0.1:1/spool"])
async def test_database_that_cannot_be_reached_makes_the_spool_unusable(broken: str) -> None:
    with pytest.raises(SpoolUnusable, match="cannot be used"):
        await open_spool(PostgresqlSettings(url=broken))


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://intercomd@db.internal/intercomd", [(None, None)]),
        ("postgresql://intercomd@/intercomd?host=/run/postgresql", [(None, None)]),
        ("postgresql:///intercomd", [(None, None)]),
        ("postgresql://me@one:5432,two/x", [("one", 5432), ("two", None)]),
        ("postgresql://one,[::1]:6000/x?port=1", [("one", 1), ("::1", 6000)]),
        ("postgresql://me@/x?host=/run/a,/run/b", [("/run/a", None), ("/run/b", None)]),
        ("postgresql://me@/x?host=one,two&port=1,2", [("one", 1), ("two", 2)]),
        ("postgresql://me@%2Frun%2Fa,two/x", [("/run/a", None), ("two", None)]),
    ],
)
def test_hosts_are_read_from_the_url(url: str, hosts: list[tuple[str | None, int | None]]) -> None:
    assert hosts_of(url) == hosts


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1 << 16):
        pass
    writer.close()


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def starting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuses as a server does that is starting up."""
    await reader.read(1 << 16)
    fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("host", [silent, reset, starting])
async def test_host_that_fails_hides_no_other(url: str, host: Host) -> None:
    tried = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tried
        tried += 1
        await host(reader, writer)

    listener = await asyncio.start_server(count, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    folder, database = url.rpartition("host=")[2], url.partition("@/")[2].partition("?")[0]
    connect = connector(
        PostgresqlSettings(url=f"postgresql://intercomd@/{database}?host=127.0.0.1,{folder}&port={port},5432")
    )
    for _ in range(2):
        connection = await connect()
        assert await connection.fetchval("SELECT 1") == 1
        connection.terminate()
    assert tried == 1, "the host that accepted writes is tried first"
    listener.close()


async def test_standby_hides_no_primary_and_is_refused_alone(url: str) -> None:
    standby = Server(primary=server())
    standby.start()
    try:
        folder, database = url.rpartition("host=")[2], url.partition("@/")[2].partition("?")[0]
        hosts = f"{standby.folder},{folder}"
        connection = await connector(PostgresqlSettings(url=f"postgresql://intercomd@/{database}?host={hosts}"))()
        assert not await connection.fetchval("SELECT pg_is_in_recovery()")
        connection.terminate()
        with pytest.raises(SpoolUnusable, match="no host accepts writes"):
            await open_spool(PostgresqlSettings(url=standby.url(database)))
    finally:
        standby.close()


async def test_hosts_that_all_fail_are_named(unused_tcp_port: int) -> None:
    hosts = f"127.0.0.1:{unused_tcp_port},/nowhere"
    with pytest.raises(ConnectionError, match=r"no host accepts writes: 127\.0\.0\.1: .*; /nowhere: "):
        await connector(PostgresqlSettings(url=f"postgresql://me@{hosts.replace('/', '%2F')}/x"))()


@pytest.mark.parametrize("content", [b"secret", b"secret\n", b"\xef\xbb\xbfsecret\r\n", b"two words \xc3\xa9"])
def test_password_is_the_line_of_its_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    assert password(str(file)) == content.decode("utf-8-sig").strip()


@pytest.mark.fills("spool.postgresql.connecting.PASSWORD_BYTES_MAX")
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfes\0", "is not UTF-8 text"),
        (b"a\0b", "more than a line of text"),
        (b"one\ntwo\n", "more than a line of text"),
        (b"x" * (PASSWORD_BYTES_MAX + 1), "larger than 4096 bytes"),
    ],
)
async def test_file_without_a_password_is_an_error_that_names_it(
    tmp_path: Path, url: str, content: bytes, problem: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(PasswordUnreadable, match=f"^spool.password_file {file} .*{problem}"):
        await connector(PostgresqlSettings(url=url, password_file=str(file)))()


async def test_pipe_as_the_password_file_blocks_nothing(tmp_path: Path, url: str) -> None:
    os.mkfifo(tmp_path / "password")
    with pytest.raises(PasswordUnreadable, match="is not a regular file"):
        await connector(PostgresqlSettings(url=url, password_file=str(tmp_path / "password")))()


@pytest.mark.parametrize(
    ("query", "left", "files"),
    [
        ("", "", {}),
        ("?sslmode=require", "?sslmode=require", {}),
        ("?connect_timeout=3", "", {}),
        ("?keepalives=1&sslmode=require&channel_binding=prefer", "?sslmode=require", {}),
        ("?sslrootcert=%2Fa&sslcert=b", "?sslrootcert=%2Fa&sslcert=b", {"sslrootcert": "/a", "sslcert": "b"}),
    ],
)
def test_parameters_that_the_driver_lacks_are_left_out(query: str, left: str, files: dict[str, str]) -> None:
    assert without_ignored(f"postgresql://me@db/x{query}") == (f"postgresql://me@db/x{left}", files)


@pytest.mark.parametrize("name", sorted(IGNORED))
async def test_url_with_an_ignored_parameter_connects(url: str, name: str) -> None:
    connection = await connector(PostgresqlSettings(url=f"{url}&{name}=1"))()
    await connection.close()


@pytest.mark.fills("spool.postgresql.connecting.PEM_BYTES_MAX")
@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
async def test_unusable_file_of_a_parameter_is_named(url: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConnectionError, match=f"^{name} /nowhere: No such file or directory"):
        await connector(PostgresqlSettings(url=f"{url}&{name}=/nowhere"))()
    file = tmp_path / "file"
    for content in (b"\0 no text", b"\n" * PEM_BYTES_MAX + b"-----BEGIN CERTIFICATE-----"):
        file.write_bytes(content)
        with pytest.raises(ConnectionError, match=f"^{name} {file} is not a PEM file"):
            await connector(PostgresqlSettings(url=f"{url}&{name}={file}"))()
    file.write_bytes(b"# A comment\n-----BEGIN CERTIFICATE-----")
    connection = await connector(PostgresqlSettings(url=f"{url}&{name}={file}"))()
    await connection.close()


@pytest.mark.parametrize("of", ["ROLE {role}", "DATABASE {database}"])
async def test_database_that_is_read_only_names_the_setting(url: str, of: str) -> None:
    database = url.partition("@/")[2].partition("?")[0]
    server().psql(f"CREATE ROLE reader_{database} LOGIN", database)
    altered = of.format(role=f"reader_{database}", database=database)
    server().psql(f"ALTER {altered} SET default_transaction_read_only = on")
    with pytest.raises(SpoolUnusable, match="default_transaction_read_only is on"):
        await open_spool(PostgresqlSettings(url=url.replace("intercomd@", f"reader_{database}@")))


@pytest.mark.parametrize("of", ["ROLE {role}", "DATABASE {database}"])
async def test_too_few_sessions_name_how_many_a_daemon_needs(url: str, of: str) -> None:
    database = url.partition("@/")[2].partition("?")[0]
    server().psql(f"CREATE ROLE few_{database} LOGIN", database)
    altered = of.format(role=f"few_{database}", database=database)
    server().psql(f"ALTER {altered} CONNECTION LIMIT {SESSIONS - 1}")
    server().psql(
        f"GRANT USAGE ON SCHEMA intercomd TO few_{database}; GRANT SELECT ON intercomd.spool TO few_{database}",
        database,
    )
    limited = url.replace("intercomd@", f"few_{database}@")
    assert "a daemon needs 4 sessions: raise the limit" in await check_database(limited, "")


async def test_daemon_has_as_many_sessions_as_it_names(url: str) -> None:
    spool = await open_spool(PostgresqlSettings(url=url, daemon_id="counted"))
    counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'intercomd counted'"
    assert server().psql(counted) == str(SESSIONS)
    await spool.close()


def test_other_errors_name_where_to_look() -> None:
    assert reason_of(OSError("refused")) == "refused; check spool.url, the network and the database's log"
