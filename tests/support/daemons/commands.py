"""Runs commands in this process, which is fast, or in a process of their own, as a shell does."""

import asyncio
import signal
from typing import Any

from click.testing import CliRunner, Result

from daemons.process import COMMAND, WAIT_SECONDS
from intercomd_daemon.cli.main import main


async def invoke(*words: object, **more: Any) -> Result:  # noqa: ANN401 - of click's runner
    """Runs a command in a thread of this process, while the event loop serves what the command calls."""
    result = await asyncio.to_thread(CliRunner().invoke, main, [str(word) for word in words], **more)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


class Command:
    """A command in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        """Returns the next line of the standard output."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_SECONDS):
            return (await self.process.stdout.readline()).decode()

    async def error(self) -> str:
        """Returns the next line of the standard error."""
        assert self.process.stderr is not None
        async with asyncio.timeout(WAIT_SECONDS):
            return (await self.process.stderr.readline()).decode()

    def interrupt(self) -> None:
        """Sends SIGINT, as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    async def write(self, data: bytes) -> None:
        """Writes to the standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def ended(self, given: bytes | None = None) -> tuple[int, str, str]:
        """Waits for the exit; returns the exit code and the unread output and errors."""
        async with asyncio.timeout(WAIT_SECONDS):
            output, errors = await self.process.communicate(given)
        return self.process.returncode or 0, output.decode(), errors.decode()

    async def close(self) -> None:
        """Kills the process if it is still running."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()


async def launch(*words: object, ignore_interrupts: bool = False) -> Command:
    """Starts a command; with SIGINT ignored, as a shell without job control starts background commands."""
    shell = ("sh", "-c", 'trap "" INT; exec "$@"', "sh") if ignore_interrupts else ()
    pipe = asyncio.subprocess.PIPE
    texts = [*shell, COMMAND, *(str(word) for word in words)]
    return Command(await asyncio.create_subprocess_exec(*texts, stdin=pipe, stdout=pipe, stderr=pipe))
