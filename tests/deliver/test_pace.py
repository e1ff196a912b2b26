"""The pace: against a simulated budget in virtual time, and step by step."""

import heapq
from math import ceil, floor, inf
from random import Random
from typing import NamedTuple

import pytest

from intercomd_daemon.deliver.exchange import Answer, RateHeaders
from intercomd_daemon.deliver.pace import BURST, WAIT_MAX_SECONDS, Pace

UNIX = 1_795_000_000.0


class World(NamedTuple):
    """Intercom, the network and this machine; times are seconds."""

    limit: int = 167
    window: float = 10.0
    phase: float = 0.0
    """When a window begins, beside a whole second of Intercom's clock."""
    offset: float = UNIX
    """Intercom's clock less ours."""
    network: float = 0.03
    """One way, give or take `jitter` of it."""
    latency: float = 0.1
    """From sending to receiving."""
    jitter: float = 0.3
    late: float = 0.003
    """By so much a timer of ours is late."""
    others: int = 0
    """Calls that other apps make at the beginning of each window."""
    headers: str = "end"
    """What the reset names: the window's "end", a "sliding" one, one in the "past" or the "future"; or "none"."""
    dated: bool = True
    share: float = 1.0
    believed: int = 167
    seconds: float = 120.0
    idle: tuple[float, float] = (inf, inf)
    """Between these seconds there is nothing to send."""


class Run(NamedTuple):
    """What became of it."""

    refused: int
    """Calls answered 429."""
    full: list[int]
    """Our calls in each whole window but the first two, in which the headers are met."""
    pace: Pace

    def share_of(self, limit: int) -> float:
        """Of the budget, in full windows with a steady backlog."""
        return sum(self.full) / len(self.full) / limit


class Intercom:
    """Fixed windows on a clock of its own; a call that is refused is not counted."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ours: dict[int, int] = {}
        self._all: dict[int, int] = {}
        self.refused = 0

    def take(self, at: float, answered_at: float) -> Answer:
        """Counts a call that arrives `at`; the answer is written at `answered_at`; both by Intercom's clock."""
        world = self._world
        window = floor((at - world.phase) / world.window)
        used = self._all.get(window, world.others)
        well = used < world.limit
        self.refused += not well
        self.ours[window] = self.ours.get(window, 0) + well
        self._all[window] = used + well
        ends = world.phase + (window + 1) * world.window
        resets = {"end": ceil(ends), "sliding": floor(at + world.window), "past": at - 100, "future": at + 1e5}
        rate = None
        if world.headers != "none":
            rate = RateHeaders(world.limit, max(0, world.limit - used - well), resets[world.headers])
        return Answer(200 if well else 429, rate=rate, date=float(floor(answered_at)) if world.dated else None)


def simulate(world: World) -> Run:
    """Sends whenever the pace allows, with always something to send."""
    chance = Random(world.limit)  # noqa: S311 - to be the same each time
    now = begin = 1000.0
    pace, intercom = Pace(world.believed, world.share, now), Intercom(world)
    coming: list[tuple[float, int, float, Answer]] = []
    sent = 0
    while now < begin + world.seconds:
        next_at = pace.next_at(now)
        if world.idle[0] <= next_at - begin < world.idle[1]:
            next_at = begin + world.idle[1]
        if coming and coming[0][0] <= next_at:
            arrives, _, left, answer = heapq.heappop(coming)
            now = max(now, arrives)
            pace.answered(answer, left, now)
            continue
        now = max(now, next_at) + chance.random() * world.late
        pace.take(now)
        sent += 1
        network = min(world.latency / 2, world.network) * (1 + world.jitter * (chance.random() - 0.5))
        written = now + world.latency - network
        answer = intercom.take(now + network + world.offset, written + world.offset)
        heapq.heappush(coming, (now + world.latency, sent, now, answer))
    whole = sorted(intercom.ours)[2:-1]
    return Run(intercom.refused, [intercom.ours[window] for window in whole], pace)


LATENCIES = [0.005, 0.1, 0.5, 1.0, 2.0, 5.0]
CLOCKS = [0.0, 0.37, 0.99, -3600.0, 3600.5]


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("clock", CLOCKS)
def test_no_call_is_refused_and_the_budget_is_used_whatever_the_latency_and_the_clocks(
    latency: float, clock: float
) -> None:
    for phase in (0.0, 0.4):
        run = simulate(World(latency=latency, offset=UNIX + clock, phase=phase))
        assert run.refused == 0
        assert run.share_of(167) >= 0.98
        assert run.pace.window_seconds == 10


@pytest.mark.parametrize("network", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_nor_when_the_way_is_long_or_uneven(network: float, jitter: float) -> None:
    run = simulate(World(latency=2 * network, network=network, jitter=jitter))
    assert run.refused == 0
    assert run.share_of(167) >= 0.975


@pytest.mark.parametrize("limit", [20, 83, 167])
@pytest.mark.parametrize("window", [5.0, 10.0, 60.0])
@pytest.mark.parametrize("latency", [0.005, 1.0])
def test_the_window_s_length_is_learned_from_the_resets(limit: int, window: float, latency: float) -> None:
    run = simulate(World(limit=limit, window=window, latency=latency, seconds=12 * window, believed=20))
    assert run.refused == 0
    assert run.share_of(limit) >= min(limit - 1, 0.98 * limit) / limit
    assert run.pace.window_seconds == window
    assert run.pace.limit == limit


@pytest.mark.parametrize("others", [1, 10, 30, 60])
@pytest.mark.parametrize("latency", LATENCIES)
def test_what_other_apps_use_is_left_to_them_and_the_rest_is_used(others: int, latency: float) -> None:
    run = simulate(World(others=others, latency=latency))
    assert run.refused == 0
    assert run.share_of(167) + others / 167 >= 0.98


@pytest.mark.parametrize("latency", [0.005, 1.0])
def test_where_next_to_nothing_is_left_only_what_leaves_before_the_first_answer_is_refused(latency: float) -> None:
    run = simulate(World(others=160, latency=latency))
    assert run.refused <= BURST * (len(run.full) + 3)
    assert run.share_of(167) + 160 / 167 >= 0.98


@pytest.mark.parametrize("headers", ["none", "past", "future", "sliding"])
@pytest.mark.parametrize("dated", [True, False])
def test_headers_that_are_absent_or_senseless_leave_the_even_pace(headers: str, dated: bool) -> None:
    run = simulate(World(headers=headers, dated=dated))
    assert run.refused == 0
    assert sum(run.full[1:]) >= 0.98 * 167 * len(run.full[1:])


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_a_share_of_the_budget_is_kept_to(share: float) -> None:
    run = simulate(World(share=share, latency=0.5))
    assert run.refused == 0
    assert max(run.full) <= 167 * share
    assert sum(run.full) >= (164 * share - 1) * len(run.full)


def test_a_limit_believed_too_high_cures_itself() -> None:
    run = simulate(World(limit=83, believed=1000, latency=1.0, headers="none", seconds=600))
    assert 0 < run.refused < 0.2 * sum(run.full)
    run = simulate(World(limit=83, believed=1000, latency=1.0, seconds=600))
    assert run.refused < 100
    assert run.full[-1] >= 0.98 * 83


@pytest.mark.parametrize("until", [47.0, 51.5, 55.1, 58.9, 90.0])
def test_after_idleness_a_burst_stays_within_what_remains(until: float) -> None:
    for latency in (0.005, 1.0):
        run = simulate(World(idle=(43.0, until), latency=latency))
        assert run.refused == 0


def answer(remaining: int = 100, reset: float = UNIX + 10, status: int = 200, after: float | None = None) -> Answer:
    return Answer(status, rate=RateHeaders(167, remaining, reset), date=UNIX, retry_after_seconds=after)


def test_the_first_calls_leave_at_once_then_evenly() -> None:
    pace = Pace(167, 1.0, 0.0)
    for _ in range(BURST):
        assert pace.next_at(0.0) == pytest.approx(0.0)
        pace.take(0.0)
    assert pace.next_at(0.0) == pytest.approx(10 / 164)
    assert pace.plan == 164
    assert pace.remaining(0.0) == 166 - BURST
    assert pace.window_ends == 10.0


@pytest.mark.parametrize(
    ("limit", "share", "plan"),
    [(1, 1.0, 1), (2, 1.0, 1), (20, 1.0, 19), (83, 1.0, 82), (167, 0.5, 82), (167, 0.001, 1)],
)
def test_the_plan(limit: int, share: float, plan: int) -> None:
    assert Pace(limit, share, 0.0).plan == plan


def test_a_429_stops_the_connection_until_the_reset_and_halves_what_is_believed_once() -> None:
    pace = Pace(167, 1.0, 0.0)
    for _ in range(3):
        pace.take(0.0)
    for _ in range(3):
        pace.answered(answer(remaining=0, reset=UNIX + 7, status=429), 0.0, 0.1)
    assert pace.next_at(0.1) == pytest.approx(7.1)
    assert pace.plan == 82
    pace.take(8.0)
    pace.answered(answer(remaining=0, reset=UNIX + 17, status=429), 8.0, 8.1)
    assert pace.plan == 41


def test_what_is_believed_recovers_by_a_twentieth_a_clean_window_and_wholly() -> None:
    pace = Pace(101, 1.0, 0.0)
    pace.take(0.0)
    pace.answered(Answer(429), 0.0, 0.0)
    plans = []
    for window in range(1, 14):
        pace.take(10.0 * window + 0.1)
        plans.append(pace.plan)
    assert plans == [49, 54, 59, 64, 69, 74, 79, 84, 89, 94, 99, 99, 99]


def test_however_often_it_is_refused_a_call_a_window_is_tried() -> None:
    pace = Pace(167, 1.0, 0.0)
    for window in range(20):
        pace.take(100.0 * window)
        pace.answered(Answer(429, retry_after_seconds=99.0), 100.0 * window, 100.0 * window)
    assert pace.plan >= 1
    assert pace.remaining(100_000.0) >= 1


@pytest.mark.parametrize(
    ("refusal", "wait"),
    [
        (Answer(429), 10.0),
        (answer(0, status=429), 10.0),
        (answer(0, UNIX + 55, status=429), 55.0),
        (answer(0, UNIX + 500, status=429), 10.0),
        (answer(0, UNIX - 5, status=429), 10.0),
        (answer(0, status=429, after=3.0), 10.0),
        (answer(0, status=429, after=30.0), 30.0),
        (answer(5, status=429, after=3.0), 3.0),
        (Answer(429, retry_after_seconds=3.0), 3.0),
        (Answer(429, retry_after_seconds=0.0), 0.1),
        (Answer(429, retry_after_seconds=3600.0), WAIT_MAX_SECONDS),
    ],
)
def test_how_long_a_429_stops_it(refusal: Answer, wait: float) -> None:
    """Until the reset, or as long as a window; `Retry-After` counts if it comes, capped, but makes no call left."""
    pace = Pace(167, 1.0, 0.0)
    pace.take(0.0)
    pace.answered(refusal, 0.0, 0.0)
    assert pace.next_at(0.0) == pytest.approx(wait)


def test_a_limit_of_nothing_is_no_limit_and_answers_of_windows_that_are_over_teach_nothing() -> None:
    pace = Pace(167, 1.0, 0.0)
    pace.take(0.0)
    pace.answered(Answer(200, rate=RateHeaders(0, 0, UNIX + 5), date=UNIX), 0.0, 0.1)
    assert pace.limit == 167
    for _ in range(2):
        pace.take(0.2)
    pace.answered(answer(50, UNIX + 20), 0.2, 0.3)
    pace.answered(answer(10, UNIX + 10), 0.2, 0.3)
    assert pace.remaining(0.3) == 49
    pace.answered(answer(51, UNIX + 20), 0.2, 0.3)
    assert pace.remaining(0.3) == 49


def test_an_answer_to_a_call_that_was_not_taken_is_none_of_ours() -> None:
    """A look-up made past the budget: what it says is true all the same."""
    pace = Pace(167, 1.0, 0.0)
    pace.answered(answer(50), 0.0, 0.1)
    assert pace.remaining(0.1) == 49
