"""Time and randomness, passed to the parts that need them, so that tests can replace them."""

import random
import time
from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """Stored times are from the wall clock, waits are measured by the monotonic clock."""

    wall: Callable[[], float] = time.time
    """Unix seconds."""
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    """Drawn evenly from 0 to 1."""
