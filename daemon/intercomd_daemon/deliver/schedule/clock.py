"""Time and chance, as a part receives them."""

import random
import time
from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """What is written down is timed by the wall clock, what is waited for by the one that never jumps."""

    wall: Callable[[], float] = time.time
    """Unix seconds."""
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    """Drawn evenly from 0 to 1."""
