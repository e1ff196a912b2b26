from pathlib import Path

import pytest

from database.server import spool_url
from intercomd_daemon.errors import SpoolLocked
from intercomd_daemon.spool.engines import ENGINES, FILE_ENGINE, SpoolEvents, engine_of
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.spool.sqlite import SqliteSpool

EVENTS = SpoolEvents(
    on_wait=lambda _: None, on_commit=lambda _rows, _seconds: None, on_damage=lambda _: None, on_refusing=lambda _: None
)


@pytest.mark.parametrize(
    ("url", "kind"), [("memory:", MemorySpool), ("sqlite:{folder}/spool.db", SqliteSpool), ("", PostgresqlSpool)]
)
async def test_engine_opens_the_spool_of_its_scheme(tmp_path: Path, url: str, kind: type) -> None:
    settings = SpoolSettings(url=url.format(folder=tmp_path) or spool_url(), bytes_max=7 << 20, free_bytes_min=0)
    spool = await engine_of(settings.url).open(settings, ("eu", "us"), EVENTS)
    assert isinstance(spool, kind)
    assert set(spool.usage().connections) == {"eu", "us"}
    assert spool.usage().bytes_max == 7 << 20
    await spool.close()


def test_maintenance_and_inspection_are_offered_where_a_spool_outlives_its_process() -> None:
    assert {scheme for scheme, engine in ENGINES.items() if engine.inspect} == {"sqlite"}
    assert {scheme for scheme, engine in ENGINES.items() if engine.maintenance} == {"sqlite", "postgresql"}
    assert FILE_ENGINE is ENGINES["sqlite"]


async def test_engine_reports_who_holds_the_spool(tmp_path: Path) -> None:
    settings = SpoolSettings(url=f"sqlite:{tmp_path}/spool.db", free_bytes_min=0, lock_wait_seconds=0.0)
    holders: list[str] = []
    events = SpoolEvents(
        on_wait=holders.append,
        on_commit=EVENTS.on_commit,
        on_damage=EVENTS.on_damage,
        on_refusing=EVENTS.on_refusing,
    )
    spool = await engine_of(settings.url).open(settings, ("default",), EVENTS)
    with pytest.raises(SpoolLocked):
        await engine_of(settings.url).open(settings, ("default",), events)
    assert len(holders) == 1
    await spool.close()
