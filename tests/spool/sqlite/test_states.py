"""The rest is part of every engine's contract, see `test_contract_forwarded.py`."""

from contextlib import closing
from dataclasses import replace

from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from intercomd_daemon.spool.sqlite.database import connect


async def test_states_and_the_spools_id_survive_a_restart(settings: SqliteSettings) -> None:
    spool = await open_spool(settings)
    spool_id = spool.usage().spool_id
    await spool.save_state("upstream", b"one")
    await spool.close()
    spool = await open_spool(settings)
    assert spool.usage().spool_id == spool_id
    assert await spool.load_state("upstream") == b"one"
    await spool.close()


async def test_damaged_id_is_replaced(settings: SqliteSettings) -> None:
    spool = await open_spool(settings)
    spool_id = spool.usage().spool_id
    await spool.close()
    with closing(connect(settings.path)) as database:
        database.execute("UPDATE states SET data = CAST('other' AS BLOB)")
    spool = await open_spool(settings)
    assert spool.usage().spool_id not in {spool_id, "other"}
    await spool.close()


async def test_two_spools_have_different_ids(settings: SqliteSettings) -> None:
    ids = set()
    for name in ("a", "b"):
        spool = await open_spool(replace(settings, path=f"{settings.path}{name}"))
        ids.add(spool.usage().spool_id)
        await spool.close()
    assert len(ids) == 2
