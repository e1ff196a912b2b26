"""Custom attributes are fetched and created once, whatever the number of lanes that wait for them."""

import asyncio
import itertools
import time

import pytest

from delivery.worker import Notes, settings_for
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog, Fit
from intercomd_daemon.deliver.schedule.attribute_sync import AttributeSync
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_monitor import ConnectionMonitor
from intercomd_daemon.deliver.schedule.paced_client import PacedClient
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.spool.base import States
from intercomd_daemon.spool.memory import MemorySpool

SOON = Clock(jitter=lambda: 0.01)
LATER = Clock(jitter=lambda: 60.0)


class Bench:
    """An attribute sync with a session of its own."""

    def __init__(
        self,
        sandbox: Sandbox,
        intercom: IntercomClient,
        clock: Clock = SOON,
        states: States | None = None,
        **changes: object,
    ) -> None:
        settings = settings_for(sandbox, **changes)
        self.notes = Notes()
        self.catalog = AttributeCatalog(settings)
        self.recovered = 0
        self.monitor = ConnectionMonitor(settings, self.notes, clock, self._count, paused=False)
        client = PacedClient("default", intercom, Pace(1000, 1.0, time.monotonic()), self.notes, clock)
        self.sync = AttributeSync(
            settings, states or MemorySpool(), self.catalog, self.monitor, client, self.notes, clock
        )

    def _count(self) -> None:
        self.recovered += 1


def paths(sandbox: Sandbox) -> list[str]:
    return [f"{call.method} {call.path}" for call in sandbox.calls]


async def test_list_is_fetched_once_for_many_lanes(sandbox: Sandbox, intercom: IntercomClient) -> None:
    sandbox.workspace.add_attribute("plan", "string")
    bench = Bench(sandbox, intercom)
    assert await asyncio.gather(*(bench.sync.read_attributes() for _ in range(10))) == [0.0] * 10
    assert paths(sandbox) == ["GET /data_attributes"]
    assert bench.catalog.fit("plan", "pro", time.time()).fit is Fit.SEND


async def test_attribute_is_created_once_for_many_lanes(sandbox: Sandbox, intercom: IntercomClient) -> None:
    bench = Bench(sandbox, intercom)
    await bench.sync.read_attributes()
    assert await asyncio.gather(*(bench.sync.create_attribute("plan", "string") for _ in range(5))) == [0.0] * 5
    assert paths(sandbox) == ["GET /data_attributes", "POST /data_attributes"]
    assert [name for name, _ in bench.notes.events] == ["attribute_created"]


async def test_refused_creation_is_remembered(sandbox: Sandbox, intercom: IntercomClient) -> None:
    sandbox.fault("POST /data_attributes 400 code=parameter_invalid")
    bench = Bench(sandbox, intercom)
    for _ in range(3):
        assert await bench.sync.create_attribute("plan", "string") == 0.0
    assert paths(sandbox) == ["POST /data_attributes", "GET /data_attributes"]
    assert bench.catalog.fit("plan", "pro", time.time()).fit is Fit.LEAVE_OUT
    assert [name for name, _ in bench.notes.events] == ["attribute_refused"]


@pytest.mark.parametrize("lost", ["", "cut-after"])
async def test_attribute_created_in_the_meantime_is_found_when_its_creation_is_refused(
    sandbox: Sandbox, intercom: IntercomClient, lost: str
) -> None:
    """By another daemon, or by this one with the response lost. Its values are sent."""
    one_second_later_each_time = itertools.count(time.monotonic()).__next__
    bench = Bench(sandbox, intercom, SOON._replace(monotonic=one_second_later_each_time))
    await bench.sync.read_attributes()
    if lost:
        sandbox.fault(f"POST /data_attributes {lost} times=1")
        assert await bench.sync.create_attribute("plan", "string") > 0
    else:
        sandbox.workspace.add_attribute("plan", "string")
    assert await bench.sync.create_attribute("plan", "string") == 0.0
    assert paths(sandbox)[-2:] == ["POST /data_attributes", "GET /data_attributes"]
    assert bench.catalog.fit("plan", "pro", time.time()).fit is Fit.SEND
    assert bench.notes.events == []


async def test_attribute_named_by_a_400_is_left_out_when_its_creation_is_refused(
    sandbox: Sandbox, intercom: IntercomClient
) -> None:
    """Even if the list has it. Otherwise updates and creations would be refused in turn, without end."""
    sandbox.workspace.add_attribute("plan", "string")
    bench = Bench(sandbox, intercom)
    await bench.sync.read_attributes()
    bench.catalog.reported_missing("plan", 0, time.time())
    assert await bench.sync.create_attribute("plan", "string") == 0.0
    assert paths(sandbox) == ["GET /data_attributes", "POST /data_attributes"]
    assert bench.catalog.fit("plan", "pro", time.time()).fit is Fit.LEAVE_OUT


async def test_unknown_api_version_suspends_the_connection(sandbox: Sandbox, intercom: IntercomClient) -> None:
    """The attribute is not given up."""
    sandbox.fault("* /data_attributes 400 code=intercom_version_invalid")
    bench = Bench(sandbox, intercom)
    assert await bench.sync.create_attribute("plan", "string") == 0.0
    assert bench.monitor.suspended
    assert bench.catalog.absent("plan", time.time())
    assert await bench.sync.read_attributes() == 0.0
    assert bench.notes.events == []


@pytest.mark.parametrize("fault", ["GET /data_attributes 403", "GET /data_attributes 404"])
async def test_list_that_may_not_be_read_turns_off_only_the_checks_against_it(
    sandbox: Sandbox, intercom: IntercomClient, fault: str
) -> None:
    sandbox.fault(fault)
    bench = Bench(sandbox, intercom)
    assert await bench.sync.read_attributes() == 0.0
    assert bench.catalog.fit("plan", "pro", time.time()).fit is Fit.SEND
    assert [name for name, _ in bench.notes.events] == ["attributes_unreadable"]
    assert not bench.monitor.suspended


@pytest.mark.parametrize(
    "fault", ["not-json", "html", "200 html", "other-json", "200", "204", "truncated", "text", "404 html", "empty"]
)
async def test_response_without_a_list_does_not_count_as_an_empty_list(
    sandbox: Sandbox, intercom: IntercomClient, fault: str
) -> None:
    """Otherwise existing attributes would be created, or left out."""
    sandbox.fault(f"GET /data_attributes {fault}")
    bench = Bench(sandbox, intercom)
    assert await bench.sync.read_attributes() > 0
    assert bench.catalog.stale(time.time())
    assert bench.notes.events == []


@pytest.mark.parametrize("fault", ["html", "200 html", "other-json", "200", "204", "truncated", "text"])
async def test_attribute_is_absent_until_intercom_confirms_its_creation(
    sandbox: Sandbox, intercom: IntercomClient, fault: str
) -> None:
    sandbox.fault(f"POST /data_attributes {fault}")
    bench = Bench(sandbox, intercom)
    assert await bench.sync.create_attribute("plan", "string") > 0
    assert bench.catalog.absent("plan", time.time())


async def test_transient_failure_is_retried_once_for_all_lanes(sandbox: Sandbox, intercom: IntercomClient) -> None:
    """The lanes that wait for the list do not each make a failing call."""
    sandbox.fault("GET /data_attributes 503 times=1")
    bench = Bench(sandbox, intercom, LATER)
    waits = await asyncio.gather(*(bench.sync.read_attributes() for _ in range(10)))
    assert all(0 < wait <= 60.0 for wait in waits)
    assert len(sandbox.calls) == 1
    assert bench.recovered == 0
    assert await bench.sync.create_attribute("plan", "string") > 0


async def test_dry_run_creates_no_attribute(sandbox: Sandbox, intercom: IntercomClient) -> None:
    bench = Bench(sandbox, intercom, dry_run=True)
    assert await bench.sync.create_attribute("plan", "string") == 0.0
    assert sandbox.calls == []
    assert bench.catalog.fit("plan", "pro", time.time()).fit is Fit.SEND


async def test_creations_of_a_day_are_counted_over_restarts(sandbox: Sandbox, intercom: IntercomClient) -> None:
    """Otherwise a sender that invents names and a daemon that restarts use up the workspace's 250 attributes."""
    states, now = MemorySpool(), 1_795_000_000.0
    for hour, name in enumerate(("a", "b")):
        clock = SOON._replace(wall=lambda hour=hour: now + 3_600.0 * hour)
        bench = Bench(sandbox, intercom, clock, states, attributes_created_max=2)
        await bench.sync.read_attributes()
        assert bench.catalog.fit(name, "x", clock.wall()).fit is Fit.CREATE
        assert await bench.sync.create_attribute(name, "string") == 0.0
    for hours, fit in ((2.0, Fit.LEAVE_OUT), (23.9, Fit.LEAVE_OUT), (24.1, Fit.CREATE)):
        clock = SOON._replace(wall=lambda hours=hours: now + 3_600.0 * hours)
        bench = Bench(sandbox, intercom, clock, states, attributes_created_max=2)
        await bench.sync.read_attributes()
        assert bench.catalog.fit("c", "x", clock.wall()).fit is fit


@pytest.mark.parametrize("data", [b"\x00", b"{}", b'["a"]', b"\xff\xfe", b"7"])
async def test_unreadable_times_of_creations_count_as_none(
    sandbox: Sandbox, intercom: IntercomClient, data: bytes
) -> None:
    states = MemorySpool()
    await states.save_state("attributes_created default", data)
    bench = Bench(sandbox, intercom, states=states, attributes_created_max=1)
    assert await bench.sync.read_attributes() == 0.0
    assert bench.catalog.fit("a", "x", time.time()).fit is Fit.CREATE
