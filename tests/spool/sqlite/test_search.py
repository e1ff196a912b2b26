"""What is found is part of every engine's contract, see `test_contract_trail.py`."""

from collections.abc import Callable

from intercomd_daemon.spool.base import Incoming, position_of
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from intercomd_daemon.spool.sqlite.search import find_waiting
from intercomd_daemon.spool.trail import TrailFilter


async def test_rows_are_found_newest_first_below_a_position(
    settings: SqliteSettings, row: Callable[..., Incoming]
) -> None:
    spool = await open_spool(settings)
    keys = await spool.append([row(str(number)) for number in range(5)])
    wanted = TrailFilter(customer_id="ann")
    assert await find_waiting(spool._writer.perform, wanted, 0, 9) == keys[::-1]
    assert await find_waiting(spool._writer.perform, wanted, position_of(keys[3]), 2) == [keys[2], keys[1]]
    await spool.close()
