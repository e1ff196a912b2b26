"""Starts and stops the senders of a run as processes, and reads their notes."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from kill_harness.batches import Attempt
from kill_harness.plan import User
from kill_harness.producer import CALL_SECONDS, Settings

SCRIPT = Path(__file__).resolve().with_name("producer.py")
WAIT_SECONDS = 120.0


class Notes:
    """What the producers noted, all of them together."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self.attempts = attempts
        self.sent: set[str] = {name for attempt in attempts for name in attempt.ids}
        self.turned_away: set[str] = {name for attempt in attempts for name in attempt.turned_away}
        self.accepted: set[str] = {name for attempt in attempts for name in (*attempt.accepted, *attempt.known)}
        """Envelopes answered with ACCEPTED, or with DUPLICATE after an answer was lost."""
        self.known: set[str] = {name for attempt in attempts for name in attempt.known}
        self.repeated = sum(attempt.repeated for attempt in attempts)

    def counts(self) -> Counter[User]:
        """How many envelopes of each user were sent: all of lower numbers."""
        counts: Counter[User] = Counter()
        for name in self.sent:
            era, user, number = map(int, name.split("/"))
            counts[User(era, user)] = max(counts[User(era, user)], number + 1)
        return counts

    def cut_off(self, at: float) -> list[Attempt]:
        """Attempts that were under way at this time and were never answered."""
        return [each for each in self.attempts if each.how == "lost" and each.sent < at < each.ended]

    def refused_between(self, begin: float, end: float) -> bool:
        """Whether the daemon refused a request in this time."""
        return any(each.how == "refused" and begin < each.ended < end for each in self.attempts)


class Producers:
    """Two processes, of which one streams."""

    def __init__(
        self,
        folder: Path,
        address: str,
        users: Sequence[User],
        waiting_max: int,
        seed: int,
        *,
        agent: bool = False,
        call_seconds: float = CALL_SECONDS,
        rest_seconds_max: float = 0.5,
    ) -> None:
        """`agent`: the daemon forwards, and leaves it to its gateway to skip envelopes."""
        self._folder = folder
        self._processes: list[asyncio.subprocess.Process] = []
        halves = (users[0::2], users[1::2])
        self._settings = [
            Settings(
                address=address,
                notes=str(folder / f"notes-{users[0].era}-{place}"),
                streams=place == 1,
                lines=[
                    [user.number for user in half[start :: 3 if place else 6]] for start in range(3 if place else 6)
                ],
                era=users[0].era,
                seed=seed + 100 * place,
                waiting_max=waiting_max,
                agent=agent,
                call_seconds=call_seconds,
                rest_seconds_max=rest_seconds_max,
            )
            for place, half in enumerate(halves)
        ]

    async def start(self) -> None:
        """Starts them; they publish until they are stopped."""
        for settings in self._settings:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, SCRIPT, msgspec.json.encode(settings).decode()),
                stdin=asyncio.subprocess.PIPE,
                cwd=self._folder,
            )
            self._processes.append(process)

    def check(self) -> None:
        """Raises an AssertionError if one has ended, which it does where an answer is wrong; it has said why."""
        assert all(process.returncode is None for process in self._processes), "a producer ended; see its trace"

    async def stop(self) -> None:
        """Lets them finish what they have begun, and waits for that."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        async with asyncio.timeout(WAIT_SECONDS):
            codes = [await process.wait() for process in self._processes]
        assert not any(codes), "a producer failed; see its trace"

    def kill(self) -> None:
        """Ends those that still run."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()

    def notes(self) -> Notes:
        """What they noted, once they are over."""
        return Notes([attempt for settings in self._settings for attempt in _read(Path(settings.notes))])


def _read(file: Path) -> Iterator[Attempt]:
    decoder = msgspec.json.Decoder(Attempt)
    for line in file.read_bytes().splitlines():
        yield decoder.decode(line)
