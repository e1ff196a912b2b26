"""Signals of the daemon's process, from its first line on.

By default a signal such as SIGHUP or SIGUSR1 ends a process without a drain. `hold` replaces the defaults before
anything else is imported; `connect` hands the signals to the running daemon, those that have come meanwhile included.
"""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
RELOAD = (signal.SIGHUP,)
IGNORED = (
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO),
    *(getattr(signal, name) for name in ("SIGPWR", "SIGSTKFLT") if hasattr(signal, name)),
)
"""Their default would end the process."""

_held: list[int] = []


def hold() -> None:
    """Remembers the signals that come before the daemon runs; call it in the main thread."""
    for number in (*STOP, *RELOAD):
        signal.signal(number, _hold)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


def _hold(number: int, _frame: FrameType | None) -> None:
    _held.append(number)


def connect(
    on_stop: Callable[[], None], on_reload: Callable[[], None], on_ignored: Callable[[signal.Signals], None]
) -> None:
    """Calls back on the running event loop for each signal, first for those that came since `hold`."""
    loop = asyncio.get_running_loop()
    for number in STOP:
        loop.add_signal_handler(number, on_stop)
    for number in RELOAD:
        loop.add_signal_handler(number, on_reload)
    for number in IGNORED:
        loop.add_signal_handler(number, on_ignored, number)
    while _held:
        # A reload before the start does nothing: the settings are read afterwards.
        if _held.pop(0) in STOP:
            on_stop()
