"""Strikes a fleet. Each blow proves that it hit what it was aimed at, and returns what it measured.

What a server does, it does in a thread: the loop of a blow is also that of the proxies, and a daemon whose proxies do
not answer loses its lease.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import asyncpg

from fleet_harness.fleet import CLOCKS, GUEST, LEASE_SECONDS, POOL, Fleet, now
from fleet_harness.intercom_proxy import token_of
from kill_harness.kills import pause

AWAY_SECONDS = 3 * LEASE_SECONDS
SLOW_FLUSHES_MICROSECONDS = (2_000, 20_000)
JOINS = 2
MOVE_SECONDS = 180.0
"""A workspace that is offered moves after three leases, and once a minute."""
STALE = "stale"
"""A token that Intercom does not know."""


class Hit(NamedTuple):
    """What a blow did."""

    take_overs: int = 1
    """Take-overs that it makes at most, where nothing else stalls."""
    took_over_seconds: float = 0.0
    """From an owner's death to the next call; 0.0: no owner died."""
    released_seconds: float = 0.0
    """From the last call before a lease's release to the next one after it; 0.0: none was released."""


Blow = Callable[[Fleet], Awaitable[Hit]]


async def kill_owner(fleet: Fleet) -> Hit:
    """The daemon that delivers is killed; another takes over."""
    owner = await fleet.owner()
    at = now()
    await fleet.daemons[owner].kill()
    took = await fleet.next_call(at + 0.5, owner) + 0.5
    await fleet.daemons[owner].start()
    return Hit(took_over_seconds=took)


async def kill_other(fleet: Fleet) -> Hit:
    """A daemon that only accepts is killed; the owner stays."""
    owner = await fleet.owner()
    other = next(name for name in fleet.running() if name != owner)
    await fleet.daemons[other].kill()
    await fleet.progress()
    await fleet.daemons[other].start()
    return Hit(take_overs=0)


async def stop_owner(fleet: Fleet) -> Hit:
    """The daemon that delivers stops in order; another takes over at once."""
    owner = await fleet.owner()
    daemon = fleet.daemons[owner]
    daemon.signal(signal.SIGTERM)
    before = len(fleet.calls)
    await fleet.until(lambda: [each for each in fleet.calls[before:] if each.daemon != owner])
    first = next(each for each in fleet.calls[before:] if each.daemon != owner)
    last = max((each.ended for each in fleet.calls if each.daemon == owner and each.ended <= first.begun), default=0.0)
    assert await daemon.gone() == 0
    await daemon.start()
    return Hit(released_seconds=first.begun - last)


async def freeze_owner(fleet: Fleet) -> Hit:
    """The daemon that delivers stands still for three leases, and then goes on as if nothing had happened."""
    owner = await fleet.owner()
    at = now()
    fleet.daemons[owner].signal(signal.SIGSTOP)
    took = await fleet.next_call(at + 0.5, owner) + 0.5
    await pause(max(0.0, at + AWAY_SECONDS - now()))
    fleet.daemons[owner].signal(signal.SIGCONT)
    await fleet.daemons[owner].heard("workspace_lost")
    return Hit(take_overs=2, took_over_seconds=took)


async def divide_database(fleet: Fleet) -> Hit:
    """The owner and the database do not hear each other for three leases; what was on its way then arrives late."""
    owner = await fleet.owner()
    proxies = fleet.databases[owner]
    at = now()
    held = sum(proxy.held for proxy in proxies)
    for proxy in proxies:
        proxy.divide()
    took = await fleet.next_call(at + LEASE_SECONDS - 1.0, owner) + LEASE_SECONDS - 1.0
    await pause(max(0.0, at + AWAY_SECONDS - now()))
    statement = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    assert not await fleet.value(statement), "a partition leaves no open transaction"
    assert sum(proxy.held for proxy in proxies) > held
    for proxy in proxies:
        proxy.heal()
    return Hit(take_overs=2, took_over_seconds=took)


async def lose_answers(fleet: Fleet) -> Hit:
    """The database commits what the owner sent, and the owner does not learn it."""
    owner = await fleet.owner()
    for proxy in fleet.databases[owner]:
        proxy.losing = True
    try:
        await fleet.databases[owner][0].until_lost()
        await pause(0.1)
    finally:
        for proxy in fleet.databases[owner]:
            proxy.cut()
            proxy.losing = False
    return Hit(take_overs=2)


async def divide_intercom(fleet: Fleet) -> Hit:
    """The owner and Intercom do not hear each other for a while."""
    owner = await fleet.owner()
    proxy = fleet.intercom
    held = proxy.held
    proxy.divided.add(owner)
    await proxy.until(lambda: proxy.held > held)
    await pause(LEASE_SECONDS)
    proxy.heal()
    return Hit(take_overs=0)


async def kill_database(fleet: Fleet) -> Hit:
    """The primary fails and starts again."""
    await asyncio.to_thread(fleet.servers[0].end, signal.SIGQUIT)
    await pause(0.5)
    await asyncio.to_thread(fleet.servers[0].start)
    return Hit(take_overs=2)


async def end_sessions(fleet: Fleet) -> Hit:
    """The database ends all sessions."""
    statement = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert await fleet.value(statement) >= POOL
    return Hit(take_overs=2)


async def fail_over(fleet: Fleet) -> Hit:
    """The primary fails for good, its synchronous standby becomes the primary, and gets a standby of its own."""
    old = fleet.servers.pop(0)
    await asyncio.to_thread(old.end, signal.SIGQUIT)
    (new,) = fleet.servers
    await asyncio.to_thread(new.promote)
    await asyncio.to_thread(new.replicate, synchronously=False)
    await fleet.progress()
    await asyncio.to_thread(old.close)
    await fleet.add_standby()
    fleet.point()
    return Hit(take_overs=2)


async def slow_flush(fleet: Fleet) -> Hit:
    """The database's flushes take 2 ms, then 20 ms longer."""
    for microseconds in SLOW_FLUSHES_MICROSECONDS:
        await _set(fleet, commit_delay=microseconds, commit_siblings=0)
        assert await fleet.value("SHOW commit_delay") == str(microseconds)
        await fleet.progress()
    await _set(fleet, commit_delay=0, commit_siblings=5)
    return Hit(take_overs=0)


async def _set(fleet: Fleet, **settings: int) -> None:
    for name, value in settings.items():
        await asyncio.to_thread(fleet.servers[0].psql, f"ALTER SYSTEM SET {name} = {value}")
    await asyncio.to_thread(fleet.servers[0].psql, "SELECT pg_reload_conf()")

    async def is_set() -> bool:
        return all([await fleet.value(f"SHOW {name}") == str(value) for name, value in settings.items()])

    await fleet.until(is_set)


async def old_snapshot(fleet: Fleet) -> Hit:
    """A session keeps an old snapshot, as pg_dump does, while envelopes come and go and an owner is killed."""
    session = await fleet.connect()
    try:
        await session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await session.fetchval("SELECT count(*) FROM intercomd.log")
        age = "SELECT max(age(backend_xmin)) FROM pg_stat_activity WHERE datname = current_database()"
        hit = await kill_owner(fleet)
        await fleet.progress(200)
        assert int(await fleet.value(age)) > 50
        with_snapshot: asyncpg.Connection = session
        await with_snapshot.execute("COMMIT")
    finally:
        session.terminate()
    return hit


async def rolling_restart(fleet: Fleet) -> Hit:
    """Each daemon stops and starts in turn, as in an upgrade."""
    for name in CLOCKS:
        assert await fleet.daemons[name].stop() == 0
        await fleet.daemons[name].start()
        await fleet.progress(10)
    return Hit(take_overs=len(CLOCKS))


async def join_and_leave(fleet: Fleet) -> Hit:
    """A fourth daemon joins and leaves every few seconds."""
    guest = fleet.daemons[GUEST]
    for number in range(JOINS):
        await guest.start()
        await fleet.progress(20)
        if number % 2:
            assert await guest.stop() == 0
        else:
            await guest.kill()
    return Hit(take_overs=JOINS)


async def stale_token(fleet: Fleet) -> Hit:
    """A daemon with a token that Intercom refuses is alone for a while; it gives the workspace to those that return."""
    guest = fleet.daemons[GUEST]
    token = guest.folder / "token"
    token.write_text(STALE)
    try:
        refused = fleet.intercom.statuses[401]
        await guest.start()
        for name in CLOCKS:
            assert await fleet.daemons[name].stop() == 0
        assert await fleet.owner(*CLOCKS) == GUEST
        await fleet.until(lambda: fleet.intercom.statuses[401] > refused)
        for name in CLOCKS:
            await fleet.daemons[name].start()
        assert await fleet.owner(GUEST, seconds=MOVE_SECONDS) in CLOCKS
        await fleet.progress()
        assert STALE not in {call.daemon for call in fleet.calls}, "it calls about no user"
        assert await guest.stop() == 0
    finally:
        token.write_text(token_of(GUEST))
    return Hit(take_overs=len(CLOCKS) + 1)


BLOWS: tuple[Blow, ...] = (
    kill_owner,
    kill_other,
    lose_answers,
    stop_owner,
    freeze_owner,
    end_sessions,
    divide_database,
    kill_database,
    divide_intercom,
    fail_over,
    slow_flush,
    old_snapshot,
    rolling_restart,
    join_and_leave,
    stale_token,
)
