"""A process that imports the daemon once and forks for each start: a start then takes a fifth of the processor time.

`fork_server.py DESCRIPTOR`: requests come over the socket with this number. It ends, and with it each daemon that
still runs, when the socket is closed. Nothing here makes a thread or an object of gRPC, which no fork may copy.
"""

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from intercomd_daemon.__main__ import main as intercomd
from intercomd_daemon.app import process  # noqa: F401 - for the daemons: `intercomd` imports it when it runs one

REQUEST_BYTES_MAX = 1 << 20
DESCRIPTORS = 4
"""With each request: the standard input, output and error of the daemon, and a socket for its id and exit status."""
_PR_SET_PDEATHSIG = 1


class ForkServer:
    """Forks, and reports how each daemon ended."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self._selector.register(requests, selectors.EVENT_READ)
        self._running: dict[int, tuple[int, socket.socket]] = {}
        """The process id of each daemon, and the socket for its status, by the descriptor of the process."""

    def run(self) -> dict[str, Any] | None:
        """Serves until the socket is closed, and returns None; in each forked process returns what this must do."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._requests:
                    self._report(key.fd)
                    continue
                text, descriptors, _, _ = socket.recv_fds(self._requests, REQUEST_BYTES_MAX, DESCRIPTORS)
                if not text:
                    return None
                if self._fork(descriptors) == 0:
                    request: dict[str, Any] = json.loads(text)
                    return request

    def _fork(self, descriptors: list[int]) -> int:
        pid = os.fork()
        if pid == 0:
            self._leave(descriptors)
            return pid
        replies = socket.socket(fileno=descriptors.pop())
        for descriptor in descriptors:
            os.close(descriptor)
        watched = os.pidfd_open(pid)
        self._running[watched] = pid, replies
        self._selector.register(watched, selectors.EVENT_READ)
        socket.send_fds(replies, [str(pid).encode()], [watched])
        return pid

    def _leave(self, descriptors: list[int]) -> None:
        """Gives the forked process the descriptors and signals that a started one has."""
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        self._requests.close()
        for watched, (_, replies) in self._running.items():
            os.close(watched)
            replies.close()
        for standard, descriptor in enumerate(descriptors[:3]):
            os.dup2(descriptor, standard)
        for descriptor in descriptors:
            os.close(descriptor)

    def _report(self, watched: int) -> None:
        pid, replies = self._running.pop(watched)
        _, status = os.waitpid(pid, 0)
        self._selector.unregister(watched)
        os.close(watched)
        with suppress(OSError), replies:  # The test may have ended.
            replies.send(str(status).encode())


def main() -> None:
    """Serves; in a forked process runs the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the tests, which then close the socket.
    gc.collect()
    gc.freeze()  # A collection would touch, and so copy, the pages of all that is imported.
    request = ForkServer(socket.socket(fileno=int(sys.argv[1]))).run()
    if request is None:
        return
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = request["command"]
    intercomd()


if __name__ == "__main__":
    main()
