"""Runs a fleet on this machine for a minute: agents, two gateways on one PostgreSQL, and a sandbox as Intercom.

Three services send, each to its agent. In the middle the gateway that delivers is killed, and the other takes over.
Finally the demo compares what the services, the agents, the gateways and Intercom counted. Exit code 0 if all checks
hold. `make demo-fleet` runs it: no account, no network, no container, nothing left behind.
"""

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parent.parent / "support"))  # where pytest finds it too

import click

from fleet_demo.counts import Arrival, Observed, checks, print_counts
from fleet_demo.environment import LEASE_SECONDS, RATE_LIMIT, RATE_WINDOW_SECONDS, FleetEnvironment, calls_since
from intercomd import CustomEvent, Envelope, EnvelopeResult, Identity, Publisher, PublisherSettings, attributes
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.cli.demo.display import Display, show_status
from intercomd_daemon.cli.demo.process import DaemonProcess
from intercomd_daemon.cli.demo.summary import print_checks
from intercomd_daemon.cli.exits import EXIT_FAILED, CommandFailed
from intercomd_daemon.cli.remote import CALL_SECONDS, operations
from intercomd_daemon.cli.signals import run_interruptible
from kill_harness.kills import pause

SERVICES = ("billing", "shop", "support")
USERS = 8
"""Of each service."""
ENVELOPES = 240
"""Of each service."""
PER_SECOND = 12.0
"""Envelopes of each service."""
KILL_AT = 0.3
"""The share of all envelopes that have arrived when the gateway is killed."""
TAKE_OVER_SECONDS_MAX = LEASE_SECONDS + 5.0
LOOK_SECONDS = 0.1
TIMEOUT_SECONDS = 300.0
PATIENCE_SECONDS = 60.0
"""For the last events: what has not arrived then counts as lost."""
NAMES = ("opened", "viewed", "changed", "paid")
PUBLISHER_SETTINGS = PublisherSettings(backoff_seconds=0.1, backoff_seconds_max=0.5)
_NEXT_STEP = "To run your own fleet: daemon/docs/fleet.md; deploy/ has manifests for it."


class DemoProgress(NamedTuple):
    """The progress of the demo."""

    total: int
    sent: int
    accepted: int
    arrived: int
    delivers: str
    """The gateway that delivers; empty: none does."""
    killed: str
    calls: int
    refused: int

    def line(self) -> str:
        """Returns the progress in one line."""
        delivers = f"{self.delivers} delivers" if self.delivers else "no gateway delivers"
        return f"{self.sent} of {self.total} sent, {self.accepted} accepted, {self.arrived} at Intercom; {delivers}"

    def bars(self) -> Sequence[tuple[str, int, int]]:
        """Returns what is drawn as bars."""
        return (
            ("sent by services", self.sent, self.total),
            ("accepted by agents", self.accepted, self.total),
            ("events at Intercom", self.arrived, self.total),
        )

    def facts(self) -> Sequence[tuple[str, str]]:
        """Returns what is shown below the bars."""
        return (
            ("delivers", f"[green]{self.delivers}[/green]" if self.delivers else "[red]no gateway[/red]"),
            ("killed", f"[red]{self.killed}[/red]" if self.killed else "-"),
            ("calls to Intercom", f"{self.calls}, {self.refused} refused by the rate limit"),
        )


class Service:
    """A service that sends to its agent."""

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.sent: list[Arrival] = []
        self.plans: dict[str, str] = {}
        self.dispositions: Counter[int] = Counter()
        self._count = count

    async def send(self, target: str) -> None:
        """Sends everything; returns when each envelope has its result."""

        def on_results(results: Sequence[EnvelopeResult]) -> None:
            self.dispositions.update(result.disposition for result in results)

        async with Publisher(target, settings=PUBLISHER_SETTINGS, on_results=on_results) as publisher:
            for number in range(self._count):
                user = f"{self.name}-{number % USERS}"
                self.plans[user] = f"plan {number // USERS // 4}"
                self.sent.append(Arrival(user, number))
                event = CustomEvent(name=NAMES[number // USERS % 4], attributes=attributes({"number": number}))
                identity, update = Identity(customer_id=user), attributes({"plan": self.plans[user]})
                await publisher.publish(Envelope(identity=identity, user_attributes=update, custom_event=event))
                await pause(1 / PER_SECOND)
            await publisher.flush()

    @property
    def accepted(self) -> int:
        """How many envelopes were accepted."""
        accepted = (Disposition.DISPOSITION_ACCEPTED, Disposition.DISPOSITION_DUPLICATE)
        return sum(self.dispositions[each] for each in accepted)


class Demo:
    """One run in an environment."""

    def __init__(
        self, environment: FleetEnvironment, services: Sequence[Service], total: int, take_over_seconds_max: float
    ) -> None:
        self._environment = environment
        self._services = services
        self._total = total
        self._take_over_seconds_max = take_over_seconds_max
        self._owner = ""
        self._killed = ""
        self._display: Display

    async def run(self) -> bool:
        """Sends everything, and prints the table and the checks; returns whether all hold."""
        with show_status(self._progress) as self._display:
            self._introduce()
            await self._wait_until(lambda: self._owner)
            self._notify(f"{self._owner} delivers: it holds the lease of the workspace, {LEASE_SECONDS} s")
            async with asyncio.TaskGroup() as group:
                for service in self._services:
                    group.create_task(service.send(self._environment.agents[service.name].ingest))
                took = await self._kill()
            self._notify("All services have sent; the rest is delivered at Intercom's pace")
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._wait_until(lambda: self._arrived() >= self._total)
            observed = await self._observe(took)
        print_counts(observed)
        results = checks(observed)
        print_checks(results, _NEXT_STEP)
        return all(check.holds for check in results)

    def _introduce(self) -> None:
        sandbox = self._environment.sandbox
        self._notify("PostgreSQL runs on a socket of its own; a sandbox plays Intercom:")
        self._notify(f"  {sandbox.base_url}, {RATE_LIMIT} calls in {RATE_WINDOW_SECONDS:g} s")
        for name, gateway in self._environment.gateways.items():
            self._notify(f"Gateway {name} at {gateway.ingest}, process {gateway.pid}, spool in PostgreSQL")
        for name, agent in self._environment.agents.items():
            self._notify(f"Agent of {name} at {agent.ingest}, process {agent.pid}, spool on disk")

    async def _kill(self) -> float:
        """Kills the gateway that delivers; returns the seconds until Intercom got the next call."""
        await self._wait_until(lambda: self._arrived() >= KILL_AT * self._total)
        victim = self._owner
        process = self._environment.gateways[victim]
        self._notify(f"Gateway {victim} is killed (SIGKILL to process {process.pid}) while it delivers")
        self._killed = victim
        await process.kill()
        at = time.time()
        self._notify("The agents still accept, and forward to the other gateway")
        await self._wait_until(lambda: self._owner not in {victim, ""} and calls_since(self._environment.sandbox, at))
        took = min(calls_since(self._environment.sandbox, at)) - at
        self._notify(f"{self._owner} has taken over: its first call came {took:.1f} s after the kill")
        await process.start()
        self._killed = ""
        self._notify(f"{victim} is started again as process {process.pid}; {self._owner} keeps the workspace")
        return took

    async def _wait_until(self, condition: Callable[[], object]) -> None:
        while not condition():
            owner = await self._environment.owner()
            self._owner = "" if owner == self._killed else owner
            self._display.update()
            await pause(LOOK_SECONDS)

    def _arrived(self) -> int:
        return len(self._environment.sandbox.events)

    def _refused(self) -> int:
        return sum(call.status == 429 for call in self._environment.sandbox.calls)

    def _progress(self) -> DemoProgress:
        return DemoProgress(
            total=self._total,
            sent=sum(len(service.sent) for service in self._services),
            accepted=sum(service.accepted for service in self._services),
            arrived=self._arrived(),
            delivers=self._owner,
            killed=self._killed,
            calls=len(self._environment.sandbox.calls),
            refused=self._refused(),
        )

    def _notify(self, text: str) -> None:
        self._display.notify(text)

    async def _observe(self, took: float) -> Observed:
        sandbox = self._environment.sandbox
        gateway = self._environment.gateways[self._owner]
        return Observed(
            sent={service.name: service.sent for service in self._services},
            accepted={service.name: service.accepted for service in self._services},
            forwarded={name: await _journal(agent) for name, agent in self._environment.agents.items()},
            outcomes=await self._complete_journal(gateway),
            arrived=[Arrival(event.external_id or "", int(event.metadata["number"])) for event in sandbox.events],
            repeats=len(sandbox.repeats),
            too_many=self._refused(),
            plans={each.external_id or "": str(each.custom_attributes.get("plan")) for each in sandbox.contacts},
            due_plans={user: plan for service in self._services for user, plan in service.plans.items()},
            took_over_seconds=took,
            bound_seconds=self._take_over_seconds_max,
        )

    async def _complete_journal(self, gateway: DaemonProcess) -> list[Outcome]:
        """Returns the journal once the last outcomes are in it: they are committed after the last call."""
        for _ in range(int(PATIENCE_SECONDS)):
            outcomes = await _journal(gateway)
            if len(outcomes) >= self._arrived():
                break
            await pause(LOOK_SECONDS)
        return outcomes


async def _journal(daemon: DaemonProcess) -> list[Outcome]:
    """Returns all outcomes of a daemon's journal, oldest first."""
    outcomes: list[Outcome] = []
    token = ""
    async with operations(daemon.operations) as stub:
        while True:
            request = messages.ListOutcomesRequest(page_size=1000, page_token=token)
            page = await stub.ListOutcomes(request, timeout=CALL_SECONDS)
            outcomes += page.outcomes
            token = page.next_page_token
            if not token:
                return outcomes[::-1]


async def _run(folder: Path, count: int, take_over_seconds_max: float) -> bool:
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    services = [Service(name, count) for name in SERVICES]
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), FleetEnvironment(folder, SERVICES) as environment:
            holds = await Demo(environment, services, count * len(SERVICES), take_over_seconds_max).run()
            await environment.stop()
            return holds
    except TimeoutError:
        raise CommandFailed(f"the demo did not end within {TIMEOUT_SECONDS:g} s") from None


@click.command()
@click.option("--envelopes", default=ENVELOPES, show_default=True, help="Envelopes of each service.")
@click.option(
    "--take-over-seconds",
    default=TAKE_OVER_SECONDS_MAX,
    show_default=True,
    help="Seconds after the kill within which the other gateway must deliver.",
)
def main(envelopes: int, take_over_seconds: float) -> None:
    """Run a fleet for a minute, kill the gateway that delivers, and compare what all sides counted."""
    folder = Path(tempfile.mkdtemp(prefix="intercomd-demo-"))
    logging.getLogger("intercomd").addHandler(logging.NullHandler())
    logging.getLogger("intercomd").propagate = False
    kept = False
    try:
        kept = not run_interruptible(_run(folder, envelopes, take_over_seconds))
    except CommandFailed:
        kept = True
        raise
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    finally:
        if not kept:
            shutil.rmtree(folder)
    if kept:
        click.echo(f"\nThe daemons' logs, spools and settings are in {folder}", err=True)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
