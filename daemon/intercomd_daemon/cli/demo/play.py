"""The demo from beginning to end: services send, Intercom falters, the daemon is killed; and then all is counted."""

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import click

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.cli import options
from intercomd_daemon.cli.demo import people, table
from intercomd_daemon.cli.demo.checks import Check, checks
from intercomd_daemon.cli.demo.evidence import Evidence
from intercomd_daemon.cli.demo.house import House
from intercomd_daemon.cli.demo.least import fewest
from intercomd_daemon.cli.demo.samples import samples
from intercomd_daemon.cli.demo.scenario import Scenario, scenario
from intercomd_daemon.cli.demo.screen import Look, Screen, screen
from intercomd_daemon.cli.demo.senders import Senders
from intercomd_daemon.cli.exits import EXIT_FAILED, CommandFailed
from intercomd_daemon.cli.format import quantity
from intercomd_daemon.cli.outcomes import follow
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations, operations
from intercomd_daemon.cli.signals import run_interruptible

EXIT_SIGNAL = 128
"""A shell's exit code of a command that a signal ended, less the signal's number."""
HOURS_AGO_SECONDS = 6 * 3600
"""When the day of the demo began; events keep their own times."""
PATIENCE_SECONDS = 60.0
ALL_SECONDS = 300.0
"""After which something is wrong: it takes half a minute."""
# What befalls it, when so many of the envelopes that must end have ended.
BUDGET_AT, OUTAGE_AT, CRASH_AT = 0.08, 0.2, 0.4
KNOWN = frozenset(person.key for person in people.known())


@click.command("demo", epilog=options.examples("intercomd demo"))
def command() -> None:
    """See the whole job within a minute: no account, no network, nothing left behind.

    Services send a few hundred envelopes to a daemon, which delivers them to a sandbox in Intercom's place. On the way
    the budget runs out, answers get lost, Intercom is out for a while, and the daemon is killed and started again. In
    the end everything is counted, by the senders, the daemon and the sandbox, and must add up; exit code 0 if it does.
    """
    folder = Path(tempfile.mkdtemp(prefix="intercomd-demo-"))
    logging.getLogger("intercomd").addHandler(logging.NullHandler())
    logging.getLogger("intercomd").propagate = False
    try:
        found = run_interruptible(_play(folder))
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        raise
    except Terminated as ended:
        shutil.rmtree(folder)
        sys.exit(EXIT_SIGNAL + ended.number)
    if not all(check.holds for check in found):
        click.echo(f"\nThe daemon's log, spool and settings are in {folder}", err=True)
        sys.exit(EXIT_FAILED)
    shutil.rmtree(folder)


class Terminated(Exception):  # no error: somebody has ended the demo
    """SIGTERM or SIGHUP."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


async def _play(folder: Path) -> list[Check]:
    """Plays until the end, or until SIGTERM or SIGHUP; either way its daemon has ended when this returns.

    Raises:
        Terminated: by the first of these signals. Further ones don't interrupt the stop.
    """
    loop = asyncio.get_running_loop()
    playing = asyncio.create_task(_play_to_the_end(folder))
    received: list[signal.Signals] = []

    def terminate(number: signal.Signals) -> None:
        if not received:
            playing.cancel()
        received.append(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, terminate, number)
    try:
        await asyncio.wait({playing})
    except asyncio.CancelledError:  # Ctrl-C
        playing.cancel()
        await asyncio.wait({playing})
        raise
    if received:
        raise Terminated(received[0])
    return playing.result()


async def _play_to_the_end(folder: Path) -> list[Check]:
    try:
        async with asyncio.timeout(ALL_SECONDS), House(folder) as house, operations(house.daemon.operations) as stub:
            return await Play(house, stub, scenario(int(time.time()) - HOURS_AGO_SECONDS)).run()
    except TimeoutError:
        raise CommandFailed(
            f"it is not over after {ALL_SECONDS:g} s; the daemon's log is {folder}/daemon.log"
        ) from None
    except ExceptionGroup as errors:
        raise CommandFailed(f"{_first(errors)}; the daemon's log is {folder}/daemon.log") from errors


def _first(error: Exception) -> Exception:
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


class Play:
    """One performance."""

    def __init__(self, house: House, stub: Operations, told: Scenario) -> None:
        self._house = house
        self._stub = stub
        self._scenario = told
        self._senders = Senders(house.daemon.ingest)
        self._due = sum(step.fate.accepted for step in told.steps)
        self._ended: set[str] = set()
        self._moved = asyncio.Event()
        self._screen: Screen = screen(self._look)

    async def run(self) -> list[Check]:
        """Plays, counts, prints."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            with self._screen:
                await self._day()
                await self._night()
                evidence = await self._evidence()
            watching.cancel()
        return self._count(evidence)

    async def _day(self) -> None:
        names, sandbox = ", ".join(self._scenario.by_day), self._house.sandbox
        self._tell(f"A daemon listens at {self._house.daemon.ingest}; it delivers to a sandbox at {sandbox.base_url}")
        self._tell(f"{quantity(len(self._scenario.by_day), 'service')} begin to send at the same time: {names}")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._senders.send(self._scenario.by_day))
            await self._mishaps()
        self._tell("All services are through; the rest leaves at Intercom's pace")
        due = sum(step.fate.accepted for steps in self._scenario.by_day.values() for step in steps)
        await self._until(lambda: len(self._ended) >= due)

    async def _mishaps(self) -> None:
        await self._until_share(BUDGET_AT)
        self._tell("Another app of the workspace uses up Intercom's budget: 429 until the window ends")
        self._house.use_up_budget()
        await self._until_share(OUTAGE_AT)
        self._tell("Intercom is out: every connection is cut")
        await self._house.outage()
        self._tell("Intercom answers again")
        await self._until_share(CRASH_AT)
        pid = self._house.daemon.pid
        self._tell(f"The daemon is killed (SIGKILL to process {pid}) in the middle of its work")
        await self._house.crash()
        self._tell(f"It is started again, as process {self._house.daemon.pid}, and goes on where it was")

    async def _night(self) -> None:
        (steps,) = self._scenario.by_night.values()
        self._tell(f"A nightly job sends {quantity(len(steps), 'contact')} again, all the same: no call is needed")
        await self._senders.send(self._scenario.by_night)
        await self._until(lambda: len(self._ended) >= self._due)

    async def _watch(self) -> None:
        following = follow(self._stub, messages.OutcomeFilter(), 0, PATIENCE_SECONDS, lambda _: None)
        async with aclosing(following):
            async for answer in following:
                self._ended.add(answer.outcome.envelope_id)
                self._moved.set()
                self._screen.progress()

    async def _until_share(self, share: float) -> None:
        await self._until(lambda: len(self._ended) >= share * self._due)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._moved.clear()
            await self._moved.wait()

    def _look(self) -> Look:
        calls = self._house.calls()
        return Look(
            total=len(self._scenario.steps),
            published=self._senders.published,
            answered=sum(self._senders.dispositions.values()),
            ended=len(self._ended),
            due=self._due,
            calls=len(calls),
            spoilt=sum(call.spoilt for call in calls),
            answering=self._house.answering,
            pid=self._house.daemon.pid,
        )

    def _tell(self, text: str) -> None:
        self._screen.tell(text)

    async def _evidence(self) -> Evidence:
        return Evidence(
            answered=tuple(self._senders.answered),
            outcomes=tuple(await self._journal()),
            events=self._house.events(),
            repeats=len(self._house.sandbox.repeats),
            contacts=self._house.contacts(),
            calls=self._house.calls(),
            illegal=len(self._house.sandbox.illegal_requests),
        )

    async def _journal(self) -> list[Outcome]:
        """All of the daemon's, oldest first: asked for afresh, not as they were seen on the way."""
        outcomes: list[Outcome] = []
        token = ""
        while True:
            request = messages.ListOutcomesRequest(page_size=1000, page_token=token)
            page = await self._stub.ListOutcomes(request, timeout=CALL_SECONDS)
            outcomes += page.outcomes
            token = page.next_page_token
            if not token:
                return outcomes[::-1]

    def _count(self, evidence: Evidence) -> list[Check]:
        steps = self._scenario.steps
        table.print_envelopes(evidence)
        table.print_calls(evidence, fewest(steps, KNOWN))
        table.print_changes(evidence)
        table.print_dead_letters(evidence)
        table.print_samples(samples(steps, self._house.sandbox))
        found = checks(steps, evidence, KNOWN)
        table.print_checks(found)
        return found
