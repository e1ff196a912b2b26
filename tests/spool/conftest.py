"""What the spool's tests share: engines to open, a clock to turn, rows to append and ways for them to end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from database.server import database_time, spool_url
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent, lane_of, operations_of
from intercomd_daemon.outcome import Effect, EffectKind, Outcome, OutcomeType
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.postgresql.engine import open_spool as open_postgresql
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.rows import Completion, Incoming
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool
from spool.leased import LeasedSpool, leased

NOON = 1_750_000_000.0


@pytest.fixture
def clock() -> SimpleNamespace:
    """Times that change only when a test sets them: `wall` in Unix seconds, `monotonic` in seconds."""
    return SimpleNamespace(wall=NOON, monotonic=0.0)


@pytest.fixture
def envelope() -> Callable[..., AcceptedEnvelope]:
    """Makes an envelope with an update and events."""

    def make(name: str = "a", customer_id: str = "ann", events: tuple[str, ...] = ("order",)) -> AcceptedEnvelope:
        made = tuple(TrackEvent(event, 1_749_999_000, b"") for event in events)
        return AcceptedEnvelope(
            name, customer_id, "", NOON, operations_of(customer_id, "", {"plan": "pro"}, made), (), "", b""
        )

    return make


@pytest.fixture
def row(envelope: Callable[..., AcceptedEnvelope]) -> Callable[..., Incoming]:
    """Makes a row to append: an envelope of a customer, padded to about `size` bytes."""

    def make(name: str = "a", customer_id: str = "ann", *, size: int = 0, **changes: object) -> Incoming:
        made = envelope(name, customer_id)
        data = record.pack(AcceptedEnvelope(*[getattr(made, key) for key in made.__struct_fields__[:7]], bytes(size)))
        columns = {"connection": "default", "priority": Priority.NORMAL, "lane": lane_of(customer_id, ""), **changes}
        return Incoming(envelope_id=name, data=columns.pop("data", data), **columns)

    return make


@pytest.fixture
def ended(envelope: Callable[..., AcceptedEnvelope]) -> Callable[..., Completion]:
    """Makes an end: delivered, or where a reason is given, a dead letter whose first event was refused."""

    def make(key: int, name: str = "a", customer_id: str = "ann", *, reason: str = "", **changes: object) -> Completion:
        well, ill = OutcomeType.DELIVERED, OutcomeType.DEAD_LETTERED
        effects = (
            Effect(EffectKind.CONTACT, "", 0, well, "", 200, "r1", 1),
            Effect(EffectKind.EVENT, "order", 1, ill if reason else well, reason, 400 if reason else 202, "r2", 1),
        )
        fields = {"connection": "default", "accept_time": NOON, **changes}
        outcome = Outcome(
            envelope_id=name,
            customer_id=customer_id,
            email="",
            type=ill if reason else well,
            reason=reason,
            end_time=NOON + 1,
            effects=effects,
            adjustments=(),
            replay=0,
            **fields,
        )
        return Completion(
            key, outcome, envelope(name, customer_id) if reason else None, "no such event" if reason else ""
        )

    return make


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def open_engine(
    request: pytest.FixtureRequest, tmp_path: Path, clock: SimpleNamespace
) -> AsyncIterator[Callable[..., Awaitable[Spool]]]:
    """Opens an engine by given settings and acquires a workspace; closes the engine after the test."""
    opened: list[Spool] = []

    async def make(**settings: object) -> LeasedSpool:
        times = {"wall": lambda: clock.wall, "monotonic": lambda: clock.monotonic}
        if request.param == "memory":
            spool: Spool = MemorySpool(**settings, **times)
        elif request.param == "postgresql":
            times["database_time"] = database_time(times["wall"])
            spool = await open_postgresql(
                PostgresqlSettings(url=spool_url(), poll_seconds=3_600.0, **settings), **times
            )
        else:
            path = str(tmp_path / "spool.db")
            spool = await open_spool(SqliteSettings(path, free_bytes_min=0, **settings), **times)
        opened.append(spool)
        return await leased(spool)

    yield make
    for spool in opened:
        await spool.close()


@pytest.fixture
async def spool(open_engine: Callable[..., Awaitable[Spool]]) -> Spool:
    """Each engine in turn, by default settings."""
    return await open_engine()
