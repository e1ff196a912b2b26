"""The pace against a simulated rate limit, in virtual time: no call is refused, and hardly one is left unused."""

import heapq
from collections.abc import Callable
from functools import partial
from math import ceil, floor, inf
from random import Random
from typing import NamedTuple

import pytest

from intercomd_daemon.deliver.intercom.messages import RateHeaders, Response
from intercomd_daemon.deliver.schedule.pacing import BURST, Pace

UNIX = 1_795_000_000.0
TAKEOVER_SECONDS = 4.0
"""The margins of the lease: from the last call of an owner that is lost to the first of the next one, at least."""


class World(NamedTuple):
    """Intercom, the network and this machine; times are seconds."""

    limit: int = 167
    window: float = 10.0
    phase: float = 0.0
    """When a window starts, relative to a whole second of Intercom's clock."""
    offset: float = UNIX
    """Intercom's clock minus ours."""
    network: float = 0.03
    """One way, plus or minus half of `jitter` times as much."""
    latency: float = 0.1
    """From sending the request to receiving the response."""
    jitter: float = 0.3
    late: float = 0.003
    """How late our timers are, at most."""
    others: int = 0
    """Calls that other apps make at the beginning of each window."""
    headers: str = "end"
    """The reset header: the window's "end", a "sliding" one, one in the "past" or the "future"; or "none"."""
    recorded: bool = False
    """True: the reset lies 2 s after the window's end, and what remains is counted before the call, as recorded."""
    dated: bool = True
    share: float = 1.0
    believed: int = 167
    seconds: float = 120.0
    idle: tuple[float, float] = (inf, inf)
    """Between these seconds no call is made."""
    lost_at: float = inf
    """When the process is lost; another one takes over 4 s later, and waits for the response to `GET /me` first."""


class Run(NamedTuple):
    """The result of a simulation."""

    refused: int
    """Calls with a 429."""
    full: list[int]
    """Our calls in each whole window, without the first two, in which the headers are learned."""
    pace: Pace

    def share_of(self, limit: int) -> float:
        """Returns the used share of the limit, in full windows with a steady backlog."""
        return sum(self.full) / len(self.full) / limit


class IntercomClient:
    """Counts calls in fixed windows on its own clock; refused calls are not counted."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ours: dict[int, int] = {}
        self._all: dict[int, int] = {}
        self.refused = 0

    def take(self, at: float, written_at: float) -> Response:
        """Counts a call that arrives `at`; the response is written at `written_at`, both by Intercom's clock."""
        world = self._world
        window = floor((at - world.phase) / world.window)
        used = self._all.get(window, world.others)
        well = used < world.limit
        self.refused += not well
        self.ours[window] = self.ours.get(window, 0) + well
        self._all[window] = used + well
        ends = world.phase + (window + 1) * world.window
        resets = {
            "end": ceil(ends) + 2 * world.recorded,
            "sliding": floor(at + world.window),
            "past": at - 100,
            "future": at + 1e5,
        }
        rate = None
        if world.headers != "none":
            counted = used + (well and not world.recorded)
            rate = RateHeaders(world.limit, max(0, world.limit - counted), resets[world.headers])
        return Response(200 if well else 429, rate=rate, date=float(floor(written_at)) if world.dated else None)


@pytest.fixture(params=[True, False], ids=["recorded", "described"])
def world(request: pytest.FixtureRequest) -> Callable[..., World]:
    """Make a world whose headers have one of the two forms."""
    return partial(World, recorded=request.param)


def simulate(world: World) -> Run:
    """Makes a call whenever the pace allows it."""
    chance = Random(world.limit)  # noqa: S311 - to be the same each time
    now = begin = 1000.0
    pace, intercom = Pace(world.believed, world.share, now), IntercomClient(world)
    coming: list[tuple[float, int, float, Response]] = []
    sent = 0
    lost, saved = False, pace.state(now, now + world.offset)
    while now < begin + world.seconds:
        if not lost and now >= begin + world.lost_at:
            lost, now, coming = True, now + TAKEOVER_SECONDS, []
            pace = Pace(world.believed, world.share, now)
            pace.restore(saved, now, now + world.offset)
            pace.take_over()
        if not lost and sent % 40 == 0:
            saved = pace.state(now, now + world.offset)
        next_at = pace.next_at(now)
        if world.idle[0] <= next_at - begin < world.idle[1]:
            next_at = begin + world.idle[1]
        if coming and coming[0][0] <= next_at:
            arrives, _, left, response = heapq.heappop(coming)
            now = max(now, arrives)
            pace.on_response(response, left, now)
            continue
        now = max(now, next_at) + chance.random() * world.late
        pace.take(now)
        sent += 1
        network = min(world.latency / 2, world.network) * (1 + world.jitter * (chance.random() - 0.5))
        written = now + world.latency - network
        response = intercom.take(now + network + world.offset, written + world.offset)
        heapq.heappush(coming, (now + world.latency, sent, now, response))
    whole = sorted(intercom.ours)[2:-1]
    return Run(intercom.refused, [intercom.ours[window] for window in whole], pace)


LATENCIES = [0.005, 0.1, 0.5, 1.0, 2.0, 5.0]
CLOCKS = [0.0, 0.37, 0.99, -3600.0, 3600.5]


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("clock", CLOCKS)
def test_budget_is_used_without_a_429_at_any_latency_and_clock(
    world: Callable[..., World], latency: float, clock: float
) -> None:
    for phase in (0.0, 0.4):
        run = simulate(world(latency=latency, offset=UNIX + clock, phase=phase))
        assert run.refused == 0
        assert run.share_of(167) >= 0.98
        assert run.pace.window_seconds == 10


@pytest.mark.parametrize("network", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_budget_is_used_without_a_429_over_slow_or_uneven_networks(
    world: Callable[..., World], network: float, jitter: float
) -> None:
    run = simulate(world(latency=2 * network, network=network, jitter=jitter))
    assert run.refused == 0
    assert run.share_of(167) >= 0.975


@pytest.mark.parametrize("limit", [20, 83, 167])
@pytest.mark.parametrize("window", [5.0, 10.0, 60.0])
@pytest.mark.parametrize("latency", [0.005, 1.0, 2.0])
def test_window_length_is_learned_from_the_resets(
    world: Callable[..., World], limit: int, window: float, latency: float
) -> None:
    run = simulate(world(limit=limit, window=window, latency=latency, seconds=12 * window, believed=20))
    assert run.refused == 0
    assert run.share_of(limit) >= min(limit - 1, 0.98 * limit) / limit
    assert run.pace.window_seconds == window
    assert run.pace.limit == limit


@pytest.mark.parametrize("others", [1, 10, 15, 20, 30, 60])
@pytest.mark.parametrize("latency", LATENCIES)
def test_calls_of_other_apps_are_left_to_them_and_the_rest_is_used(
    world: Callable[..., World], others: int, latency: float
) -> None:
    run = simulate(world(others=others, latency=latency))
    assert run.refused == 0
    assert run.share_of(167) + others / 167 >= 0.98


@pytest.mark.parametrize("latency", [0.005, 1.0])
def test_only_calls_before_the_first_response_are_refused_when_little_is_left(
    world: Callable[..., World], latency: float
) -> None:
    run = simulate(world(others=160, latency=latency))
    assert run.refused <= BURST * (len(run.full) + 3)
    assert run.share_of(167) + 160 / 167 >= 0.98


@pytest.mark.parametrize("headers", ["none", "past", "future", "sliding"])
@pytest.mark.parametrize("dated", [True, False])
def test_pace_stays_even_with_absent_or_implausible_headers(
    world: Callable[..., World], headers: str, dated: bool
) -> None:
    run = simulate(world(headers=headers, dated=dated))
    assert run.refused == 0
    assert sum(run.full[1:]) >= 0.98 * 167 * len(run.full[1:])


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("limit", [83, 167, 1667])
@pytest.mark.parametrize("lost_at", [21.0, 23.3, 25.0, 26.7, 28.9, 29.9])
def test_take_over_causes_no_429(world: Callable[..., World], share: float, limit: int, lost_at: float) -> None:
    """Neither with the whole limit nor with a share of it, of which others use the rest."""
    others = int(limit * (1.0 - share))
    run = simulate(world(share=share, limit=limit, believed=limit, others=others, lost_at=lost_at))
    assert run.refused == 0


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_calls_keep_to_the_share_of_the_budget(world: Callable[..., World], share: float) -> None:
    run = simulate(world(share=share, latency=0.5))
    assert run.refused == 0
    assert max(run.full) <= 167 * share
    assert sum(run.full) >= (164 * share - 1) * len(run.full)


def test_configured_limit_that_is_too_high_is_corrected(world: Callable[..., World]) -> None:
    run = simulate(world(limit=83, believed=1000, latency=1.0, headers="none", seconds=600))
    assert 0 < run.refused < 0.2 * sum(run.full)
    run = simulate(world(limit=83, believed=1000, latency=1.0, seconds=600))
    assert run.refused < 100
    assert run.full[-1] >= 0.98 * 83


@pytest.mark.parametrize("until", [47.0, 51.5, 55.1, 58.9, 90.0])
def test_burst_after_idleness_stays_within_the_remaining_calls(world: Callable[..., World], until: float) -> None:
    for latency in (0.005, 1.0):
        run = simulate(world(idle=(43.0, until), latency=latency))
        assert run.refused == 0
