"""The services of the demo: each hands its envelopes over in order, and hears what becomes of them on acceptance."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from intercomd import EnvelopeResult, Publisher, PublisherSettings
from intercomd_daemon.cli.demo.evidence import Answered
from intercomd_daemon.cli.demo.step import Step

PAUSE_SECONDS = 0.15
"""Between two envelopes of one sender, so that there is something to see."""
PATIENT = PublisherSettings(backoff_seconds=0.1, backoff_seconds_max=0.5)


class Senders:
    """All senders, each with a publisher of its own."""

    def __init__(self, target: str) -> None:
        self.published = 0
        self.answered: list[Answered] = []
        """Of one sender after the other, each in order, once they are through."""
        self.dispositions: Counter[int] = Counter()
        self._target = target

    async def send(self, by_sender: Mapping[str, Sequence[Step]]) -> None:
        """Returns when every envelope has been answered."""
        async with asyncio.TaskGroup() as group:
            sending = [group.create_task(self._send(steps)) for steps in by_sender.values()]
        self.answered += [answered for task in sending for answered in task.result()]

    async def _send(self, steps: Sequence[Step]) -> list[Answered]:
        results: list[EnvelopeResult] = []

        def hear(batch: Sequence[EnvelopeResult]) -> None:
            results.extend(batch)
            self.dispositions.update(result.disposition for result in batch)

        async with Publisher(self._target, settings=PATIENT, on_results=hear) as publisher:
            for step in steps:
                await publisher.publish(step.envelope)
                self.published += 1
                await asyncio.sleep(PAUSE_SECONDS)
            await publisher.flush()
        return [Answered(step, result) for step, result in zip(steps, results, strict=True)]
