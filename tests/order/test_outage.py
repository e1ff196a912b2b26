"""Trouble of single users is not an outage, however many they are, and an outage is one: measured in virtual time."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.intercom.connection_pool import CALL_SECONDS
from intercomd_daemon.deliver.schedule.outage import PROBE_SECONDS_MAX
from intercomd_daemon.envelope import Priority, lane_of
from simulation.intercom import CUT, Temper
from simulation.simulation import Plan, Simulation, identity, simulate

PLAN = Plan(temper=Temper(), stalls=0.0, limit=1667)
"""No faults but those of the test, and the budget of a usual workspace: 10,000 calls a minute."""
HEALTHY = range(100_000, 100_080, 4)
"""20 users with a customer id alone."""
WITHIN_SECONDS = 3.0
LATEST = 3600.0


def played(play: Callable[[Simulation], Coroutine[Any, Any, None]]) -> None:
    simulate(1, PLAN, play, finish=False)


def know(simulation: Simulation, *users: int) -> list[str]:
    """Makes these users contacts that Intercom has, so that an event is one call; their lanes."""
    lanes = [lane_of(*identity(user)) for user in users]
    for user, lane in zip(users, lanes, strict=True):
        contact = simulation.far_side.workspace.add_contact(*identity(user))
        simulation.far_side.contact_lanes[contact.id] = lane
    return lanes


def failing(simulation: Simulation, users: range, *statuses: int) -> None:
    """Makes all calls of these users fail, with one of the statuses each."""
    know(simulation, *users)
    lanes = [lane_of(*identity(user)) for user in users]
    simulation.far_side.stuck = {lane: statuses[place % len(statuses)] for place, lane in enumerate(lanes)}


async def send(simulation: Simulation, *users: int) -> list[str]:
    """An event of each; their ids."""
    envelopes = [simulation.envelope(user, Priority.NORMAL, "e") for user in users]
    await simulation.append([(envelope, Priority.NORMAL) for envelope in envelopes])
    return [envelope.envelope_id for envelope in envelopes]


async def seconds_until_ended(simulation: Simulation, ids: list[str]) -> float:
    """How long from now until all of them have ended."""
    began = simulation.loop.time()
    while not simulation.ended_at.keys() >= set(ids):
        await simulation.progress(LATEST)
    return max(simulation.ended_at[name] for name in ids) - began


@pytest.mark.parametrize("count", [1, 5, 6, 17, 63, 64, 70, 200, 1000])
@pytest.mark.parametrize("statuses", [(500,), (502, 503), (CUT,), (0,), (500, 503, CUT, 0, 504, 408)])
def test_healthy_users_are_served_within_seconds_of_a_start(count: int, statuses: tuple[int, ...]) -> None:
    """Those whose calls fail are read first, and no call has succeeded before."""

    async def play(simulation: Simulation) -> None:
        failing(simulation, range(0, 4 * count, 4), *statuses)
        know(simulation, *HEALTHY)
        await simulation.stop()
        await send(simulation, *range(0, 4 * count, 4))
        ids = await send(simulation, *HEALTHY)
        simulation.start()
        assert await seconds_until_ended(simulation, ids) < WITHIN_SECONDS

    played(play)


@pytest.mark.parametrize("count", [5, 20, 63, 64, 70, 200, 1000])
@pytest.mark.parametrize("statuses", [(500,), (0,), (500, 0, CUT)])
@pytest.mark.parametrize("later_seconds", [1.0, 40.0, 1000.0])
def test_healthy_users_who_come_later_are_served_within_seconds(
    count: int, statuses: tuple[int, ...], later_seconds: float
) -> None:
    """In a quiet workspace, where meanwhile no call succeeds; and again, after those have been tried again."""

    async def play(simulation: Simulation) -> None:
        users = range(0, 4 * count, 4)
        failing(simulation, users, *statuses)
        know(simulation, *HEALTHY)
        await send(simulation, *users)
        for _ in range(3):
            await simulation.loop.passes(later_seconds)
            assert await seconds_until_ended(simulation, await send(simulation, *HEALTHY)) < WITHIN_SECONDS

    played(play)


@pytest.mark.parametrize("statuses", [(500, 503), (0,), (0, 500)])
@pytest.mark.parametrize("count", [70, 200])
def test_healthy_users_do_not_wait_for_users_who_begin_to_fail(count: int, statuses: tuple[int, ...]) -> None:
    async def play(simulation: Simulation) -> None:
        users = range(0, 4 * count, 4)
        know(simulation, *HEALTHY)
        await seconds_until_ended(simulation, await send(simulation, *HEALTHY))
        failing(simulation, users, *statuses)
        for _ in range(20):
            await send(simulation, *users)
            assert await seconds_until_ended(simulation, await send(simulation, *HEALTHY)) < WITHIN_SECONDS
            await simulation.loop.passes(7.0)

    played(play)


@pytest.mark.parametrize("count", [64, 150])
@pytest.mark.parametrize("statuses", [(0,), (500, 0, CUT)])
def test_healthy_users_among_users_whose_calls_hang_are_served_within_seconds(
    count: int, statuses: tuple[int, ...]
) -> None:
    """Every few users another one is healthy, and new to Intercom: a creation and an event."""

    async def play(simulation: Simulation) -> None:
        users = range(0, 4 * count, 4)
        failing(simulation, users, *statuses)
        await simulation.stop()
        ids, step = [], count // len(HEALTHY)
        for place, user in enumerate(HEALTHY):
            await send(simulation, *users[place * step : (place + 1) * step])
            ids += await send(simulation, user)
        simulation.start()
        assert await seconds_until_ended(simulation, ids) < WITHIN_SECONDS

    played(play)


@pytest.mark.parametrize("later_seconds", [2.0, 5.0, 11.0, 28.0, 31.0, 37.0, 58.0, 62.0])
def test_healthy_users_come_at_any_moment_while_calls_hang(later_seconds: float) -> None:
    """1,000 users' calls hang, more than there are connections."""

    async def play(simulation: Simulation) -> None:
        users = range(0, 4_000, 4)
        failing(simulation, users, 0)
        know(simulation, *HEALTHY)
        await send(simulation, *users)
        for _ in range(3):
            await simulation.loop.passes(later_seconds)
            assert await seconds_until_ended(simulation, await send(simulation, *HEALTHY)) < WITHIN_SECONDS

    played(play)


def test_calls_that_all_hang_are_an_outage_of_users_if_get_me_succeeds() -> None:
    async def play(simulation: Simulation) -> None:
        users = range(0, 4_000, 4)
        failing(simulation, users, 0)
        await send(simulation, *users)
        await simulation.loop.passes(CALL_SECONDS - 1.0)
        assert simulation.states[-1] is ConnectionState.DELIVERING
        await simulation.loop.passes(2.0)
        assert simulation.states[-1] is ConnectionState.DOWN

    played(play)


def test_window_full_of_failing_users_is_left_for_those_behind() -> None:
    async def play(simulation: Simulation) -> None:
        users = range(0, 40, 4)
        failing(simulation, users, 500)
        know(simulation, *HEALTHY)
        await simulation.stop()
        await send(simulation, *[user for _ in range(250) for user in users])
        ids = await send(simulation, *HEALTHY)
        simulation.start()
        assert await seconds_until_ended(simulation, ids) < WITHIN_SECONDS

    played(play)


def test_outage_costs_few_calls_and_ends_at_the_first_probe() -> None:
    """100 users wait, and each minute 10 others come; Intercom is away for an hour."""

    async def play(simulation: Simulation) -> None:
        know(simulation, *HEALTHY)
        await seconds_until_ended(simulation, await send(simulation, *HEALTHY))
        users = range(0, 400, 4)
        know(simulation, *range(0, 2800, 4))
        before = simulation.far_side.statuses.total()
        simulation.far_side.away = True
        ids = await send(simulation, *users)
        for minute in range(60):
            await simulation.loop.passes(60.0)
            ids += await send(simulation, *range(400 + 40 * minute, 440 + 40 * minute, 4))
        assert simulation.states[-1] is ConnectionState.DOWN
        probes = 3600.0 / PROBE_SECONDS_MAX
        assert simulation.far_side.statuses.total() - before < 64 + probes
        simulation.far_side.away = False
        assert (
            await seconds_until_ended(simulation, ids)
            < CALL_SECONDS + PROBE_SECONDS_MAX + len(ids) / 160 + WITHIN_SECONDS
        )
        assert simulation.states[-1] is ConnectionState.DELIVERING

    played(play)
