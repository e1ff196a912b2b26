"""The rest is part of every engine's contract, see `test_contract_forwarded.py`."""

from intercomd_daemon.spool.forwarded import Forwarded
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool


async def test_damaged_results_count_as_absent(settings: SqliteSettings) -> None:
    spool = await open_spool(settings)
    await spool.append([], Forwarded("edge", "agent-1", "default", 1, b"results"))
    await spool._writer.perform(
        lambda each: each.database.execute("UPDATE forwarded SET data = substr(data, 2)").close()
    )
    assert await spool.forwarded("edge", "agent-1", "default") is None
    await spool.close()


async def test_results_survive_a_restart(settings: SqliteSettings) -> None:
    spool = await open_spool(settings)
    sent = Forwarded("edge", "agent-1", "default", 1, b"results")
    await spool.append([], sent)
    await spool.close()
    spool = await open_spool(settings)
    assert await spool.forwarded("edge", "agent-1", "default") == sent
    await spool.close()
