"""Runs the coroutine of a command so that SIGINT ends it, whatever signals the parent process ignores."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_interruptible(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Runs a coroutine until it returns or SIGINT arrives.

    A shell without job control starts background commands with SIGINT ignored. Python then installs no
    KeyboardInterrupt handler, and asyncio cancels the main task only in place of that handler: the command could be
    stopped by SIGKILL alone. Hence the handler is installed here, whatever the parent process left.

    Raises:
        KeyboardInterrupt: on SIGINT, after the coroutine has been cancelled and has cleaned up.
    """
    # Signal handlers belong to the main thread. Tests run commands in other threads.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return asyncio.run(coroutine)
