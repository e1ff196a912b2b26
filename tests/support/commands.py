"""Commands as tests give them: in this process, where they are quick, and in one of their own, as a shell does."""

import asyncio
import signal
from typing import Any

from click.testing import CliRunner, Result
from daemons import COMMAND, WAIT_SECONDS

from intercomd_daemon.cli.main import main


async def invoke(*words: object, **more: Any) -> Result:  # noqa: ANN401 - of click's runner
    """Runs a command in a thread of this process, so that what it speaks to goes on meanwhile."""
    result = await asyncio.to_thread(CliRunner().invoke, main, [str(word) for word in words], **more)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


class Command:
    """A command in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_SECONDS):
            return (await self.process.stdout.readline()).decode()

    async def error(self) -> str:
        """The next line of what it says beside."""
        assert self.process.stderr is not None
        async with asyncio.timeout(WAIT_SECONDS):
            return (await self.process.stderr.readline()).decode()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    async def write(self, data: bytes) -> None:
        """Gives it something to read."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def ended(self, given: bytes | None = None) -> tuple[int, str, str]:
        """Waits for its end: exit code, output and errors, as far as they have not been read."""
        async with asyncio.timeout(WAIT_SECONDS):
            output, errors = await self.process.communicate(given)
        return self.process.returncode or 0, output.decode(), errors.decode()

    async def close(self) -> None:
        """Kills it if it still runs."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()


async def launch(*words: object) -> Command:
    """Starts a command."""
    pipe = asyncio.subprocess.PIPE
    texts = [str(word) for word in words]
    return Command(await asyncio.create_subprocess_exec(COMMAND, *texts, stdin=pipe, stdout=pipe, stderr=pipe))
