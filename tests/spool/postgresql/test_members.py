"""The members of a fleet, as each of them sees the others."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest

from intercomd_daemon.fleet.lease import Terms
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.postgresql.members import Members

Open = Callable[..., Awaitable[PostgresqlSpool]]
TERMS = Terms(lease_seconds=10.0)


@pytest.fixture
async def spool(open_daemon: Open) -> PostgresqlSpool:
    return await open_daemon()


async def test_member_lives_for_a_lease_and_the_margin_after_its_last_heartbeat(
    spool: PostgresqlSpool, clock: SimpleNamespace
) -> None:
    control, now = spool.leases.claims.control, lambda: clock.monotonic
    one, two = (Members(name, name, TERMS, lambda: clock.wall) for name in ("one", "two"))
    one.serve({"default": "w1", "eu": "w1"})
    await one.look(control, set(), now)
    seen = await two.look(control, {"w2"}, now)
    assert seen["one"].serves == {("w1", "default"), ("w1", "eu")}
    assert seen["two"].serves == {("w2", "")}, "what it waits for, until its settings are known"
    for _ in range(3):
        clock.monotonic += 3.4
        await one.look(control, set(), now)
        seen = await two.look(control, set(), now)
    assert (seen["one"].heartbeats, seen["two"].heartbeats) == (3, 3)
    clock.monotonic += 11.9
    assert "one" in await two.look(control, set(), now)
    clock.monotonic += 0.2
    assert "one" not in await two.look(control, set(), now)
    two.forget()
    assert "one" in await two.look(control, set(), now), "on a new session nothing is known of it"


async def test_new_settings_are_shown_at_once(spool: PostgresqlSpool, clock: SimpleNamespace) -> None:
    control, now = spool.leases.claims.control, lambda: clock.monotonic
    member = Members("one", "one", TERMS, lambda: clock.wall)
    await member.look(control, set(), now)
    member.serve({"default": "w1"})
    assert (await member.look(control, set(), now))["one"].serves == {("w1", "default")}
