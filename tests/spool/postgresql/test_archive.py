"""Clauses of a filter, and the search by fingerprints; what the filters find is part of the contract suite."""

from collections.abc import Awaitable, Callable

import pytest

from intercomd_daemon.spool.postgresql.archive import CANDIDATES_MAX, Where
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.trail import TrailFilter

Open = Callable[..., Awaitable[PostgresqlSpool]]
Make = Callable[..., Incoming]


def test_values_are_numbered_in_the_order_of_their_clauses() -> None:
    where = Where()
    where.add("a = ?", 1)
    where.add("(b = ? OR c = ?)", 2, 3)
    assert (str(where), where.values) == ("true AND a = $1 AND (b = $2 OR c = $3)", [1, 2, 3])


def test_filter_without_fields_matches_everything() -> None:
    assert str(Where()) == "true"


@pytest.mark.parametrize("wanted", [TrailFilter(customer_id="plumless"), TrailFilter(envelope_id="plumless")])
@pytest.mark.fills("spool.postgresql.archive.CANDIDATES_MAX")
async def test_search_skips_rows_that_only_share_the_fingerprint(
    open_daemon: Open, row: Make, wanted: TrailFilter
) -> None:
    spool = await open_daemon()

    def other(number: int) -> Incoming:
        # "plumless" and "buckeroo" have the same checksum.
        return row("buckeroo", "buckeroo", recognised=False) if wanted.envelope_id else row(str(number), "buckeroo")

    (key,) = await spool.append([row("plumless", "plumless")])
    await spool.append([other(number) for number in range(CANDIDATES_MAX + 10)])
    if wanted.customer_id:
        # The lanes "c:plumless" and "c:buckeroo" differ in their first bytes alike, so their checksums are equal, too.
        assert await spool._reading.fetch_value("SELECT count(DISTINCT lane_hash) FROM log") == 1
    assert await spool.find_waiting(wanted, 0, 10) == [key]


async def test_search_reads_the_index_of_the_keys_and_no_other_row(open_daemon: Open, row: Make) -> None:
    spool = await open_daemon(poll_seconds=3_600.0)  # Reads what the search reads, and nothing else.
    for start in range(0, 20_000, 2_000):
        await spool.append([row(str(n), f"user-{n}", size=300) for n in range(start, start + 2_000)])
    for session in (spool._appending, spool._reading, spool._control):
        await session.fetch("SELECT pg_stat_force_next_flush()")
    await spool._reading.fetch("SELECT pg_stat_reset()")
    read = (
        "SELECT pg_stat_force_next_flush(), seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'log'"
    )
    for wanted in (
        TrailFilter(envelope_id="7000"),
        TrailFilter(customer_id="user-8000"),
        TrailFilter(customer_id="user-9000", email="ann@example.com"),
    ):
        assert len(await spool.find_waiting(wanted, 0, 100)) == 1
    assert (await spool._reading.fetch(read))[0][1] <= 3
