"""Notifies systemd of the daemon's states (sd_notify), if it asked for that with NOTIFY_SOCKET.

"READY=1 tells the service manager that service startup is finished, or the service finished re-loading its
configuration." "RELOADING=1 … must be accompanied by MONOTONIC_USEC= … EXTEND_TIMEOUT_USEC= … the startup, runtime or
shutdown service timeout is extended." (sd_notify(3))
"""

import socket
import time
from collections.abc import Mapping
from contextlib import suppress

EXTEND_SECONDS = 30.0
"""By how much a start or stop is extended at a time."""
_MICROSECONDS = 1_000_000


class Systemd:
    """The service manager's socket; without it every method does nothing."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        """`environment` is that of the process, `pid` its id."""
        path = environment.get("NOTIFY_SOCKET", "")
        # "The first character … is '@': an abstract socket" whose name begins with NUL.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        watched = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        usec = environment.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(usec) / _MICROSECONDS / 2 if self._address and watched and usec.isdecimal() else 0.0
        """How often to call `alive`: half of the time after which systemd acts. 0.0: never."""

    def ready(self, status: str) -> None:
        """The daemon accepts envelopes, or has reloaded its settings."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, seconds: float) -> None:
        """A stop begins, which may take this long."""
        self._send("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int((seconds + EXTEND_SECONDS) * _MICROSECONDS)}")

    def extend(self, status: str) -> None:
        """The start needs EXTEND_SECONDS more, and why."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(EXTEND_SECONDS * _MICROSECONDS)}", f"STATUS={status}")

    def alive(self) -> None:
        """Every part of the daemon makes progress."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # Non-blocking: a manager that does not read must not stop the daemon; the message is then lost.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
            notify.sendto("\n".join(lines).encode(), self._address)
