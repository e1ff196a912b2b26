"""The metrics of the process, by the names that Prometheus' client libraries give them.

https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
"""

import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from intercomd_daemon.telemetry.exposition import Family

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
# Positions behind the name of the command in /proc/PID/stat, by proc_pid_stat(5).
_USER_TIME, _SYSTEM_TIME, _START_TIME, _VIRTUAL_BYTES, _RESIDENT_PAGES = 11, 12, 19, 20, 21


def process_families() -> Iterator[Family]:
    """Yields them; nothing where the system has no /proc."""
    try:
        fields = (_PROC / "self/stat").read_text().rpartition(")")[2].split()
        boot_lines = [line for line in (_PROC / "stat").read_text().splitlines() if line.startswith("btime ")]
        descriptors = sum(1 for _ in (_PROC / "self/fd").iterdir())
    except OSError:
        return
    virtual = int(fields[_VIRTUAL_BYTES])
    yield Family("gauge", "process_virtual_memory_bytes", "Virtual memory size in bytes.", value=virtual)
    resident = int(fields[_RESIDENT_PAGES]) * resource.getpagesize()
    yield Family("gauge", "process_resident_memory_bytes", "Resident memory size in bytes.", value=resident)
    for line in boot_lines:
        started = int(line.split()[1]) + int(fields[_START_TIME]) / _TICKS
        text = "Start time of the process since unix epoch in seconds."
        yield Family("gauge", "process_start_time_seconds", text, value=started)
    seconds = (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) / _TICKS
    text = "Total user and system CPU time spent in seconds."
    yield Family("counter", "process_cpu_seconds_total", text, value=seconds)
    yield Family("gauge", "process_open_fds", "Number of open file descriptors.", value=descriptors)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = math.inf if limit == resource.RLIM_INFINITY else limit
    yield Family("gauge", "process_max_fds", "Maximum number of open file descriptors.", value=files)
