"""Runs the demo: senders send, Intercom fails for a while, the daemon is killed; then everything is verified."""

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

import click

from intercomd import EnvelopeResult, Publisher, PublisherSettings
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.cli import options
from intercomd_daemon.cli.demo import personas, summary
from intercomd_daemon.cli.demo.builders import Step
from intercomd_daemon.cli.demo.checks import Invariant, checks, fewest_calls
from intercomd_daemon.cli.demo.display import DemoStatus, Display, show_status
from intercomd_daemon.cli.demo.environment import DemoEnvironment
from intercomd_daemon.cli.demo.observations import Observations, SentStep
from intercomd_daemon.cli.demo.scenario import Scenario, scenario
from intercomd_daemon.cli.demo.summary import samples
from intercomd_daemon.cli.exits import EXIT_FAILED, CommandFailed
from intercomd_daemon.cli.format import quantity
from intercomd_daemon.cli.outcomes import follow
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations, operations
from intercomd_daemon.cli.signals import run_interruptible

EXIT_SIGNAL = 128
"""A shell's exit code of a command that a signal ended, minus the number of the signal."""
HOURS_AGO_SECONDS = 6 * 3600
"""Age of the first event."""
PATIENCE_SECONDS = 60.0
TIMEOUT_SECONDS = 300.0
"""The demo takes about half a minute."""
# Shares of the outcomes after which each disturbance begins.
BUDGET_AT, OUTAGE_AT, CRASH_AT = 0.08, 0.2, 0.4
KNOWN = frozenset(persona.key for persona in personas.known())
PAUSE_SECONDS = 0.15
"""Pause between two envelopes of a sender, so that a viewer can follow."""
PUBLISHER_SETTINGS = PublisherSettings(backoff_seconds=0.1, backoff_seconds_max=0.5)


@click.command("demo", epilog=options.examples("intercomd demo"))
def command() -> None:
    """Run the daemon against a sandbox for half a minute: no account, no network, nothing left behind.

    Four services send a few hundred envelopes to a daemon, which delivers them to a sandbox in place of Intercom.
    Meanwhile the rate limit is used up, responses are lost, Intercom is down for a while, and the daemon is killed and
    restarted. Finally the command compares what the senders, the daemon and the sandbox counted. Exit code 0 if all
    checks hold.
    """
    folder = Path(tempfile.mkdtemp(prefix="intercomd-demo-"))
    logging.getLogger("intercomd").addHandler(logging.NullHandler())
    logging.getLogger("intercomd").propagate = False
    try:
        results = run_interruptible(_run(folder))
    except (KeyboardInterrupt, BrokenPipeError):
        shutil.rmtree(folder)
        raise
    except Terminated as ended:
        shutil.rmtree(folder)
        sys.exit(EXIT_SIGNAL + ended.number)
    if not all(check.holds for check in results):
        click.echo(f"\nThe daemon's log, spool and settings are in {folder}", err=True)
        sys.exit(EXIT_FAILED)
    shutil.rmtree(folder)


class Terminated(Exception):  # not an error: the user ended the demo
    """The demo received SIGTERM or SIGHUP."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


async def _run(folder: Path) -> list[Invariant]:
    """Runs to the end, or until SIGTERM or SIGHUP. Its daemon has ended when this returns or raises.

    Raises:
        Terminated: one of these signals arrived. Further ones do not interrupt the stop.
    """
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(_run_to_the_end(folder))
    received: list[signal.Signals] = []

    def terminate(number: signal.Signals) -> None:
        if not received:
            running.cancel()
        received.append(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, terminate, number)
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:  # Ctrl-C
        running.cancel()
        await asyncio.wait({running})
        raise
    if received:
        raise Terminated(received[0])
    return running.result()


async def _run_to_the_end(folder: Path) -> list[Invariant]:
    try:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            DemoEnvironment(folder) as environment,
            operations(environment.daemon.operations) as stub,
        ):
            return await Demo(environment, stub, scenario(int(time.time()) - HOURS_AGO_SECONDS)).run()
    except TimeoutError:
        raise CommandFailed(
            f"the demo did not end within {TIMEOUT_SECONDS:g} s; the daemon's log is {folder}/daemon.log"
        ) from None
    except ExceptionGroup as errors:
        first = _first(errors)
        if isinstance(first, BrokenPipeError):  # The reader of the output has gone.
            raise first from None
        raise CommandFailed(f"{first}; the daemon's log is {folder}/daemon.log") from errors


def _first(error: Exception) -> Exception:
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


class Demo:
    """One run in an environment."""

    def __init__(self, environment: DemoEnvironment, stub: Operations, planned: Scenario) -> None:
        self._environment = environment
        self._stub = stub
        self._scenario = planned
        self._senders = Senders(environment.daemon.ingest)
        self._due = sum(step.final_state.accepted for step in planned.steps)
        self._ended: set[str] = set()
        self._moved = asyncio.Event()
        self._display: Display

    async def run(self) -> list[Invariant]:
        """Sends everything, and prints the summary and the checks."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            with show_status(self._status) as self._display:
                await self._send_daytime()
                await self._send_nightly()
                observed = await self._observe()
            watching.cancel()
        return self._summarize(observed)

    async def _send_daytime(self) -> None:
        names, sandbox = ", ".join(self._scenario.daytime), self._environment.sandbox
        self._notify(
            f"A daemon listens at {self._environment.daemon.ingest}; it delivers to a sandbox at {sandbox.base_url}"
        )
        self._notify(f"{quantity(len(self._scenario.daytime), 'service')} send at the same time: {names}")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._senders.send(self._scenario.daytime))
            await self._disturb()
        self._notify("All services have sent; the daemon delivers the rest at Intercom's pace")
        due = sum(step.final_state.accepted for steps in self._scenario.daytime.values() for step in steps)
        await self._wait_until(lambda: len(self._ended) >= due)

    async def _disturb(self) -> None:
        await self._wait_for_share(BUDGET_AT)
        self._notify("Another app of the workspace uses up the rate limit: 429 until the window ends")
        self._environment.use_up_budget()
        await self._wait_for_share(OUTAGE_AT)
        self._notify("Intercom is down: every connection is cut")
        await self._environment.outage()
        self._notify("Intercom responds again")
        await self._wait_for_share(CRASH_AT)
        pid = self._environment.daemon.pid
        self._notify(f"The daemon is killed (SIGKILL to process {pid}) while it delivers")
        await self._environment.crash()
        self._notify(f"The daemon is restarted as process {self._environment.daemon.pid} and continues")

    async def _send_nightly(self) -> None:
        (steps,) = self._scenario.nightly.values()
        self._notify(f"A nightly job sends {quantity(len(steps), 'contact')} again, unchanged: no call is needed")
        await self._senders.send(self._scenario.nightly)
        await self._wait_until(lambda: len(self._ended) >= self._due)

    async def _watch(self) -> None:
        following = follow(self._stub, messages.OutcomeFilter(), 0, PATIENCE_SECONDS, lambda _: None)
        async with aclosing(following):
            async for response in following:
                self._ended.add(response.outcome.envelope_id)
                self._moved.set()
                self._display.update()

    async def _wait_for_share(self, share: float) -> None:
        await self._wait_until(lambda: len(self._ended) >= share * self._due)

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._moved.clear()
            await self._moved.wait()

    def _status(self) -> DemoStatus:
        calls = self._environment.calls()
        return DemoStatus(
            total=len(self._scenario.steps),
            published=self._senders.published,
            answered=sum(self._senders.dispositions.values()),
            ended=len(self._ended),
            due=self._due,
            calls=len(calls),
            failed=sum(call.failed for call in calls),
            answering=self._environment.answering,
            pid=self._environment.daemon.pid,
        )

    def _notify(self, text: str) -> None:
        self._display.notify(text)

    async def _observe(self) -> Observations:
        return Observations(
            answered=tuple(self._senders.answered),
            outcomes=tuple(await self._journal()),
            events=self._environment.events(),
            repeats=len(self._environment.sandbox.repeats),
            contacts=self._environment.contacts(),
            calls=self._environment.calls(),
            illegal=len(self._environment.sandbox.illegal_requests),
        )

    async def _journal(self) -> list[Outcome]:
        """Returns all outcomes of the daemon's journal, oldest first, independent of those seen during the run."""
        outcomes: list[Outcome] = []
        token = ""
        while True:
            request = messages.ListOutcomesRequest(page_size=1000, page_token=token)
            page = await self._stub.ListOutcomes(request, timeout=CALL_SECONDS)
            outcomes += page.outcomes
            token = page.next_page_token
            if not token:
                return outcomes[::-1]

    def _summarize(self, observed: Observations) -> list[Invariant]:
        steps = self._scenario.steps
        summary.print_envelopes(observed)
        summary.print_calls(observed, fewest_calls(steps, KNOWN))
        summary.print_adjustments(observed)
        summary.print_dead_letters(observed)
        summary.print_samples(samples(steps, self._environment.sandbox))
        results = checks(steps, observed, KNOWN)
        summary.print_checks(results)
        return results


class Senders:
    """All senders, each with its own publisher."""

    def __init__(self, target: str) -> None:
        self.published = 0
        self.answered: list[SentStep] = []
        """By sender, in order; filled when all have sent."""
        self.dispositions: Counter[int] = Counter()
        self._target = target

    async def send(self, by_sender: Mapping[str, Sequence[Step]]) -> None:
        """Sends all envelopes; returns when each has its result."""
        async with asyncio.TaskGroup() as group:
            sending = [group.create_task(self._send(steps)) for steps in by_sender.values()]
        self.answered += [answered for task in sending for answered in task.result()]

    async def _send(self, steps: Sequence[Step]) -> list[SentStep]:
        results: list[EnvelopeResult] = []

        def on_results(batch: Sequence[EnvelopeResult]) -> None:
            results.extend(batch)
            self.dispositions.update(result.disposition for result in batch)

        async with Publisher(self._target, settings=PUBLISHER_SETTINGS, on_results=on_results) as publisher:
            for step in steps:
                await publisher.publish(step.envelope)
                self.published += 1
                await asyncio.sleep(PAUSE_SECONDS)
            await publisher.flush()
        return [SentStep(step, result) for step, result in zip(steps, results, strict=True)]
