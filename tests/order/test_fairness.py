"""Users wait neither for another user's failures nor for another user's backlog: measured in virtual time."""

from collections.abc import Callable, Coroutine
from statistics import mean
from typing import Any

from intercomd_daemon.deliver.schedule.read_ahead import LANE_ROWS_MAX, ROWS_MAX
from intercomd_daemon.envelope import Priority, lane_of
from simulation.intercom import Temper
from simulation.simulation import Plan, Simulation, identity, simulate

NORMAL = Priority.NORMAL
CALM = Plan(temper=Temper(), stalls=0.0)
CALLS_A_SECOND = 16.4
"""What the budget of the simulated workspace comes to."""
LATEST = 9000.0
"""By this time every play is over."""
OTHERS = range(100_000, 104_000, 4)
"""Every fourth user has a customer id alone."""


def known(simulation: Simulation, user: int) -> str:
    """Makes this user a contact that Intercom has, so that an event is one call; the lane."""
    contact = simulation.far_side.workspace.add_contact(*identity(user))
    lane = simulation.far_side.contact_lanes[contact.id] = lane_of(*identity(user))
    return lane


async def send(simulation: Simulation, *users: int) -> list[str]:
    """An event of each; their ids."""
    envelopes = [simulation.envelope(user, NORMAL, "e") for user in users]
    await simulation.append([(envelope, NORMAL) for envelope in envelopes])
    return [envelope.envelope_id for envelope in envelopes]


async def ended(simulation: Simulation, ids: list[str]) -> list[float]:
    """When each of them ended."""
    for name in ids:
        while name not in simulation.ended_at:
            await simulation.progress()
            assert simulation.loop.time() < LATEST, f"{name} has not ended"
    return [simulation.ended_at[name] for name in ids]


def played(play: Callable[[Simulation], Coroutine[Any, Any, list[float]]]) -> list[float]:
    """The times that a play comes to, on a calm day; what is left then stays undelivered."""
    times: list[float] = []

    async def run(simulation: Simulation) -> None:
        times.extend(await play(simulation))

    simulate(1, CALM, run, finish=False)
    return times


def test_user_among_10000_waits_only_for_earlier_envelopes() -> None:
    """No more than the window's rows go before their turn, and none of the budget is given away."""

    async def play(simulation: Simulation) -> list[float]:
        users = range(0, 40_000, 4)
        for user in users:
            known(simulation, user)
        return await ended(simulation, await send(simulation, *users))

    times = played(play)
    assert max(times) < len(times) / CALLS_A_SECOND + 5
    assert all(at < (place + ROWS_MAX) / CALLS_A_SECOND + 5 for place, at in enumerate(times))


def test_user_with_100000_waiting_envelopes_does_not_slow_the_rest() -> None:
    def beside(waiting: int) -> list[float]:
        async def play(simulation: Simulation) -> list[float]:
            for user in (0, *OTHERS):
                known(simulation, user)
            await send(simulation, *[0] * waiting)
            return await ended(simulation, await send(simulation, *OTHERS, *OTHERS))

        return played(play)

    alone, beside_him = beside(0), beside(100_000)
    assert mean(beside_him) <= 1.2 * mean(alone)
    assert max(beside_him) <= 1.2 * max(alone)


def test_stuck_users_do_not_delay_others() -> None:
    """Errors, no answers at all, and contacts that are never found, of one user each and for good."""

    def beside(stuck: dict[int, int]) -> list[float]:
        async def play(simulation: Simulation) -> list[float]:
            for user in (*stuck, *OTHERS[:200]):
                known(simulation, user)
            simulation.far_side.stuck = {lane_of(*identity(user)): status for user, status in stuck.items()}
            ids: list[str] = []
            for _ in range(4):
                await send(simulation, *stuck, *stuck)
                ids += await send(simulation, *OTHERS[:200])
                await simulation.loop.passes(20.0)
            return await ended(simulation, ids)

        return played(play)

    alone, beside_them = beside({}), beside({0: 500, 1: 0, 4: 404})
    assert mean(beside_them) <= 1.1 * mean(alone)
    assert max(beside_them) <= 1.1 * max(alone)


def test_stuck_users_do_not_delay_others_in_a_quiet_workspace() -> None:
    """No other user's call succeeds in between."""

    async def play(simulation: Simulation) -> list[float]:
        stuck, waits = range(0, 24, 4), []
        for user in (*stuck, *OTHERS[:20]):
            known(simulation, user)
        simulation.far_side.stuck = {lane_of(*identity(user)): 500 for user in stuck}
        await send(simulation, *stuck)
        for user in OTHERS[:20]:
            await simulation.loop.passes(400.0)
            sent_at = simulation.loop.time()
            waits += [at - sent_at for at in await ended(simulation, await send(simulation, user))]
        return waits

    assert max(played(play)) < 1


def test_stuck_users_that_fill_the_window_do_not_delay_others() -> None:
    async def play(simulation: Simulation) -> list[float]:
        stuck = range(0, 40, 4)
        for user in (*stuck, OTHERS[0]):
            known(simulation, user)
        simulation.far_side.stuck = {lane_of(*identity(user)): 500 for user in stuck}
        await simulation.stop()
        await send(simulation, *[user for _ in range(LANE_ROWS_MAX - 10) for user in stuck])
        ids = await send(simulation, OTHERS[0])
        simulation.start()
        return await ended(simulation, ids)

    (at,) = played(play)
    assert at < 5
