"""Runs a daemon whose wall clock is wrong: `on_other_clock.py SECONDS run ...`. Its monotonic clocks are right."""

import json
import sys
import time


def command(seconds: float) -> tuple[str, ...]:
    """Returns the command of a daemon whose wall clock is ahead by these seconds."""
    return (sys.executable, __file__, str(seconds))


def main() -> None:
    """Moves the clock before any module of the daemon is imported."""
    offset, right, right_ns = float(sys.argv.pop(1)), time.time, time.time_ns
    time.time = lambda: right() + offset
    time.time_ns = lambda: right_ns() + int(offset * 1e9)
    shown = {"event": "clock", "ahead": round(time.time() - time.clock_gettime(time.CLOCK_REALTIME))}
    sys.stderr.write(json.dumps(shown) + "\n")
    from intercomd_daemon.__main__ import main as intercomd  # noqa: PLC0415 - after the clock has moved

    intercomd()


if __name__ == "__main__":
    main()
