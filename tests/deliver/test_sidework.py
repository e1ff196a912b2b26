"""The calls that are about no user, made once however many lanes wait for them."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from delivery.worker import TOKEN, Notes, settings_for
from intercomd_daemon.deliver.catalogue import Catalogue, Fit
from intercomd_daemon.deliver.clock import Clock
from intercomd_daemon.deliver.gate import Gate
from intercomd_daemon.deliver.intercom import Intercom
from intercomd_daemon.deliver.pace import Pace
from intercomd_daemon.deliver.sidework import Sidework
from intercomd_daemon.deliver.token import Token
from intercomd_daemon.sandbox import Sandbox, SandboxSettings

SOON = Clock(jitter=lambda: 0.01)
LATER = Clock(jitter=lambda: 60.0)


class Bench:
    """A sidework on a session of its own."""

    def __init__(self, sandbox: Sandbox, intercom: Intercom, clock: Clock = SOON, **changes: object) -> None:
        settings = settings_for(sandbox, **changes)
        self.notes = Notes()
        self.catalogue = Catalogue(settings)
        self.gate = Gate(settings, self.notes, clock, paused=False)
        self.recovered = 0
        pace = Pace(1000, 1.0, time.monotonic())
        self.work = Sidework(settings, self.catalogue, self.gate, pace, intercom.call, self._count, self.notes, clock)

    def _count(self) -> None:
        self.recovered += 1


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(rate_limit=0)) as running:
        yield running


@pytest.fixture
async def intercom(sandbox: Sandbox) -> AsyncIterator[Intercom]:
    async with Intercom(settings_for(sandbox), Token(TOKEN), 4) as session:
        yield session


def paths(sandbox: Sandbox) -> list[str]:
    return [f"{call.method} {call.path}" for call in sandbox.calls]


async def test_many_lanes_fetch_the_list_once(sandbox: Sandbox, intercom: Intercom) -> None:
    sandbox.workspace.add_attribute("plan", "string")
    bench = Bench(sandbox, intercom)
    assert await asyncio.gather(*(bench.work.read_attributes() for _ in range(10))) == [0.0] * 10
    assert paths(sandbox) == ["GET /data_attributes"]
    assert bench.catalogue.fit("plan", "pro", time.time()).fit is Fit.SEND


async def test_many_lanes_create_an_attribute_once(sandbox: Sandbox, intercom: Intercom) -> None:
    bench = Bench(sandbox, intercom)
    await bench.work.read_attributes()
    assert await asyncio.gather(*(bench.work.create_attribute("plan", "string") for _ in range(5))) == [0.0] * 5
    assert paths(sandbox) == ["GET /data_attributes", "POST /data_attributes"]
    assert [name for name, _ in bench.notes.events] == ["attribute_created"]


async def test_a_refused_creation_is_remembered(sandbox: Sandbox, intercom: Intercom) -> None:
    sandbox.fault("POST /data_attributes 400 code=parameter_invalid")
    bench = Bench(sandbox, intercom)
    for _ in range(3):
        assert await bench.work.create_attribute("plan", "string") == 0.0
    assert paths(sandbox) == ["POST /data_attributes", "GET /data_attributes"]
    assert bench.catalogue.fit("plan", "pro", time.time()).fit is Fit.LEAVE_OUT
    assert [name for name, _ in bench.notes.events] == ["attribute_refused"]


@pytest.mark.parametrize("lost", ["", "cut-after"])
async def test_an_attribute_that_was_made_meanwhile_is_found_when_its_creation_is_refused(
    sandbox: Sandbox, intercom: Intercom, lost: str
) -> None:
    """By another daemon, or by this one with the answer lost: no value is left out for that."""
    each_look_takes_a_second = itertools.count(time.monotonic()).__next__
    bench = Bench(sandbox, intercom, SOON._replace(monotonic=each_look_takes_a_second))
    await bench.work.read_attributes()
    if lost:
        sandbox.fault(f"POST /data_attributes {lost} times=1")
        assert await bench.work.create_attribute("plan", "string") > 0
    else:
        sandbox.workspace.add_attribute("plan", "string")
    assert await bench.work.create_attribute("plan", "string") == 0.0
    assert paths(sandbox)[-2:] == ["POST /data_attributes", "GET /data_attributes"]
    assert bench.catalogue.fit("plan", "pro", time.time()).fit is Fit.SEND
    assert bench.notes.events == []


async def test_what_a_400_has_named_is_given_up_when_its_creation_is_refused(
    sandbox: Sandbox, intercom: Intercom
) -> None:
    """Whatever the list says, or update and creation would refuse each other for ever."""
    sandbox.workspace.add_attribute("plan", "string")
    bench = Bench(sandbox, intercom)
    await bench.work.read_attributes()
    bench.catalogue.reported_missing("plan", time.time())
    assert await bench.work.create_attribute("plan", "string") == 0.0
    assert paths(sandbox) == ["GET /data_attributes", "POST /data_attributes"]
    assert bench.catalogue.fit("plan", "pro", time.time()).fit is Fit.LEAVE_OUT


@pytest.mark.parametrize(
    ("fault", "away", "recovered", "suspended"),
    [("500", False, 0, False), ("503", True, 0, False), ("", True, 1, False), ("401", False, 0, True)],
)
async def test_the_outage_detector_is_told_whether_get_me_is_answered(
    sandbox: Sandbox, intercom: Intercom, fault: str, away: bool, recovered: int, suspended: bool
) -> None:
    """Intercom is back if it failed before; an answer that refuses access suspends the connection."""
    bench, asked = Bench(sandbox, intercom), asyncio.Event()
    for lane in "abcde":
        bench.gate.failed(lane, "HTTP_500", 0.0)
    bench.gate.ask_check(0.0)
    if away:
        bench.gate.checked(answered=False)
        bench.gate.ask_check(0.0)
    if fault:
        sandbox.fault(f"GET /me {fault}")
    checking = asyncio.create_task(bench.work.check(asked.set))
    await asked.wait()
    checking.cancel()
    assert paths(sandbox) == ["GET /me"]
    assert (bench.recovered, bench.gate.suspended) == (recovered, suspended)


async def test_a_version_that_intercom_does_not_know_suspends(sandbox: Sandbox, intercom: Intercom) -> None:
    """And costs no attribute."""
    sandbox.fault("* /data_attributes 400 code=intercom_version_invalid")
    bench = Bench(sandbox, intercom)
    assert await bench.work.create_attribute("plan", "string") == 0.0
    assert bench.gate.suspended
    assert bench.catalogue.absent("plan", time.time())
    assert await bench.work.read_attributes() == 0.0
    assert bench.notes.events == []


@pytest.mark.parametrize("fault", ["GET /data_attributes 403", "GET /data_attributes 404"])
async def test_a_list_that_may_not_be_read_turns_only_that_off(
    sandbox: Sandbox, intercom: Intercom, fault: str
) -> None:
    sandbox.fault(fault)
    bench = Bench(sandbox, intercom)
    assert await bench.work.read_attributes() == 0.0
    assert bench.catalogue.fit("plan", "pro", time.time()).fit is Fit.SEND
    assert [name for name, _ in bench.notes.events] == ["attributes_unreadable"]
    assert not bench.gate.suspended


@pytest.mark.parametrize(
    "fault", ["not-json", "html", "200 html", "other-json", "200", "204", "truncated", "text", "404 html", "empty"]
)
async def test_what_is_no_list_is_not_taken_for_an_empty_one(sandbox: Sandbox, intercom: Intercom, fault: str) -> None:
    """Or attributes that exist would be created, or left out."""
    sandbox.fault(f"GET /data_attributes {fault}")
    bench = Bench(sandbox, intercom)
    assert await bench.work.read_attributes() > 0
    assert bench.catalogue.stale(time.time())
    assert bench.notes.events == []


@pytest.mark.parametrize("fault", ["html", "200 html", "other-json", "200", "204", "truncated", "text"])
async def test_an_attribute_is_not_known_before_its_creation_is_answered_by_intercom(
    sandbox: Sandbox, intercom: Intercom, fault: str
) -> None:
    sandbox.fault(f"POST /data_attributes {fault}")
    bench = Bench(sandbox, intercom)
    assert await bench.work.create_attribute("plan", "string") > 0
    assert bench.catalogue.absent("plan", time.time())


async def test_a_passing_failure_is_tried_again_once_for_all(sandbox: Sandbox, intercom: Intercom) -> None:
    """Those that wait for the same list do not each make a call that fails."""
    sandbox.fault("GET /data_attributes 503 times=1")
    bench = Bench(sandbox, intercom, LATER)
    waits = await asyncio.gather(*(bench.work.read_attributes() for _ in range(10)))
    assert all(0 < wait <= 60.0 for wait in waits)
    assert len(sandbox.calls) == 1
    assert bench.recovered == 0
    assert await bench.work.create_attribute("plan", "string") > 0


async def test_a_dry_run_creates_nothing(sandbox: Sandbox, intercom: Intercom) -> None:
    bench = Bench(sandbox, intercom, dry_run=True)
    assert await bench.work.create_attribute("plan", "string") == 0.0
    assert sandbox.calls == []
    assert bench.catalogue.fit("plan", "pro", time.time()).fit is Fit.SEND


async def test_access_is_asked_until_it_is_granted_and_again_when_it_is_in_doubt(
    sandbox: Sandbox, intercom: Intercom
) -> None:
    sandbox.fault("GET /me 503 times=2")
    bench = Bench(sandbox, intercom)
    verifying = asyncio.create_task(bench.work.verify(lambda: None))
    await sandbox.wait_for(lambda s: len(s.calls) == 3)
    await bench.notes.until(lambda _: bench.gate.open)
    bench.gate.suspend("UNAUTHORIZED")
    await bench.notes.until(lambda _: bench.gate.open)
    assert paths(sandbox) == ["GET /me"] * 4
    verifying.cancel()
    await asyncio.gather(verifying, return_exceptions=True)
