"""Starts daemons by a fork of a process that has imported them: see `fork_server`."""

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

_REPLY_BYTES_MAX = 16
"""A process id, or an exit status."""


class ForkedProcess:
    """A process that the fork server started, with those members of `asyncio.subprocess.Process` that tests use."""

    def __init__(self, pid: int, descriptor: int, replies: socket.socket) -> None:
        """`descriptor` is that of the process; its exit status comes over `replies`."""
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = descriptor
        self._replies = replies
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(replies, self._note_end)

    def _note_end(self) -> None:
        self._loop.remove_reader(self._replies)
        with self._replies:
            status = self._replies.recv(_REPLY_BYTES_MAX)
        os.close(self._descriptor)
        assert status, "the fork server has ended"
        self.returncode = os.waitstatus_to_exitcode(int(status))
        self._ended.set()

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal, if the process has not ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    async def wait(self) -> int:
        """Waits for the end; returns the exit code, or the negative number of the signal that ended it."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


def fork(command: Sequence[str], error: int, environment: Mapping[str, str], folder: Path) -> ForkedProcess:
    """Starts a command of `intercomd`; `error` becomes its standard error, the other descriptors are those of here."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        request = {"command": [*command], "environment": dict(environment), "folder": str(folder)}
        socket.send_fds(_server(), [json.dumps(request).encode()], [0, 1, error, there.fileno()])
    text, (descriptor,), _, _ = socket.recv_fds(here, _REPLY_BYTES_MAX, 1)
    return ForkedProcess(int(text), descriptor, here)


@cache
def _server() -> socket.socket:
    """Returns the socket of this process's server, which is started at the first use and ends with this process."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    script = Path(__file__).with_name("fork_server.py")
    # As `intercomd` sets it, before gRPC is imported.
    environment = os.environ | {"GRPC_VERBOSITY": "NONE"}
    with there:
        command = [sys.executable, script, str(there.fileno())]
        process = subprocess.Popen(command, pass_fds=[there.fileno()], env=environment)  # noqa: S603 - our own words
    atexit.register(_end, here, process)
    return here


def _end(server: socket.socket, process: subprocess.Popen[bytes]) -> None:
    server.close()
    process.wait()
