"""What waits is exported in the order of acceptance, over all logs and parked lanes."""

import asyncio

from database.filled import change, filled
from intercomd_daemon.spool.maintenance import Damage, DamageReport, Exported
from intercomd_daemon.spool.postgresql.maintenance import PostgresqlMaintenance


async def exported(url: str, *, dead_letters: bool) -> tuple[list[Exported], list[Damage]]:
    def run() -> tuple[list[Exported], list[Damage]]:
        findings = DamageReport()
        with PostgresqlMaintenance().lock(url) as spool:
            found = list(spool.export(0.0, findings, dead_letters=dead_letters))
        return found, findings.damages

    return await asyncio.to_thread(run)


def ids(found: list[Exported]) -> list[str]:
    assert {each.connection for each in found} == {"eu"}
    return [each.envelope.envelope_id for each in found]


async def test_waiting_envelopes_and_dead_letters_are_in_the_order_of_acceptance(url: str) -> None:
    await (await filled(url)).close()
    assert ids((await exported(url, dead_letters=False))[0]) == ["id-1", "id-2", "id-3", "id-4"]
    assert ids((await exported(url, dead_letters=True))[0]) == ["id-0", "id-1", "id-2", "id-3", "id-4"]


async def test_damaged_rows_are_found_and_left_out(url: str) -> None:
    await (await filled(url)).close()
    for table in ("log", "parked", "dead_letters"):
        await change(url, f"UPDATE {table} SET data = data || 'x' WHERE envelope_id <> 'id-3'")  # noqa: S608 - ours
    found, damages = await exported(url, dead_letters=True)
    assert ids(found) == ["id-3"]
    assert [(each.table, each.lane) for each in damages] == [
        ("dead_letters", ""),
        ("log", "c:bob"),
        ("parked", "c:ann"),
        ("log", "c:dan"),
    ]
