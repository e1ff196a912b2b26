"""The processes of a row: the daemon, the sandbox, and the scripts beside this file.

A script answers questions, one JSON line each. Of the daemon's log only the outcomes are counted and the newest line of
each other event is kept.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("intercomd")
TOKEN = "sandbox-token"
OLDER = "BENCH_OLDER"
"""The environment variable with the folder of an older checkout, installed, to compare with."""
DELIVERIES = "BENCH_DELIVERIES"
"""The environment variable with the number of envelopes of the row `delivered`, if it is another one."""
NOWHERE = "http://127.0.0.1:9"
"""An address at which nothing listens."""
NOMINAL = 1_667
"""Calls in 10 s: Intercom's default limit for an app is 10,000 a minute."""
WAIT_SECONDS = 300.0
_CHUNK = 1 << 16
_OUTCOME = b'"event":"outcome"'


def environment() -> dict[str, str]:
    """Our environment without a daemon's settings; modules are loaded from bytecode, as in an installation."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("INTERCOMD_") and name != "PYTHONDONTWRITEBYTECODE"
    }


def older_command() -> Path | None:
    """Returns the `intercomd` of an older checkout; None: `run.py` was not given one."""
    folder = os.environ.get(OLDER)
    return Path(folder, ".venv", "bin", "intercomd") if folder else None


class _Process:
    """A process that is killed at the end of its `with` block."""

    process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kills the process."""
        self.process.kill()
        self.process.wait()

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all its threads, those that have ended included."""
        # What clock_getcpuclockid(3) returns: "#define CPUCLOCK_SCHED 2", and the pid above the lowest three bits,
        # inverted (include/linux/posix-timers.h).
        return time.clock_gettime(~self.process.pid << 3 | 2)

    @property
    def resident_mebibytes(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


class Program(_Process):
    """A program that answers questions."""

    def __init__(self, *command: object) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - ours
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        )

    def ask(self, **question: object) -> dict[str, Any]:
        """Returns the answer to a question."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


class Script(Program):
    """A script beside this file."""

    def __init__(self, name: str, *arguments: object) -> None:
        super().__init__(sys.executable, HERE / name, *arguments)


class Sandbox(_Process):
    """`intercomd sandbox`; `rate` calls in 10 s, 0: without a limit."""

    def __init__(self, rate: int = 0) -> None:
        command = [COMMAND, "sandbox", "--port", "0", "--json", "--rate", str(rate)]
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=subprocess.PIPE, env=environment()
        )
        assert self.process.stdout
        self.base_url: str = json.loads(self.process.stdout.readline())["base_url"]


class Daemon(_Process):
    """`intercomd run` with a spool in `folder`, or at `spool`; it serves when this returns."""

    def __init__(
        self, folder: Path, base_url: str, settings: str = "", command: Path = COMMAND, spool: str = ""
    ) -> None:
        """`command` is another release's `intercomd`."""
        self.folder = folder
        file = folder / "intercomd.toml"
        url = spool or f"sqlite:{folder / 'spool.db'}"
        file.write_text(_SETTINGS.format(spool=url, base_url=base_url, token=TOKEN) + settings)
        self.ended: list[bytes] = []
        """The log lines of outcomes, in order."""
        self.outcomes = 0
        """Outcomes since its start."""
        self.lines: dict[str, dict[str, Any]] = {}
        self._logged = Condition()
        self._ended = False
        begin = time.perf_counter()
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [command, "run", "--config", file], stderr=subprocess.PIPE, env=environment()
        )
        Thread(target=self._listen, daemon=True).start()
        self.wait(lambda: "serving" in self.lines)
        self.start_seconds = time.perf_counter() - begin
        self.ingest: str = self.lines["serving"]["ingest"]
        self.operations: str = self.lines["operations"]["grpc"]

    def delivered(self, outcomes: int) -> None:
        """Waits until this many outcomes have been logged since its start."""
        self.wait(lambda: self.outcomes >= outcomes)

    def delivering(self) -> None:
        """Waits until calls may leave."""
        self.wait(lambda: self.lines.get("connection", {}).get("state") == "delivering")

    def wait(self, holds: Callable[[], bool]) -> None:
        """Waits until a condition holds; it is evaluated after each read of the log."""
        with self._logged:
            if not self._logged.wait_for(lambda: self._ended or holds(), WAIT_SECONDS) or self._ended:
                raise RuntimeError(f"the daemon does not get there: {self.lines}, {self.outcomes} outcomes")

    def _listen(self) -> None:
        assert self.process.stderr
        rest = b""
        while chunk := os.read(self.process.stderr.fileno(), _CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            with self._logged:
                ended = [line for line in lines if _OUTCOME in line]
                self.ended += ended
                self.outcomes += len(ended)
                for line in lines if len(ended) < len(lines) else ():
                    with suppress(ValueError):
                        logged = json.loads(line)
                        self.lines[logged["event"]] = logged
                self._logged.notify_all()
        with self._logged:
            self._ended = True
            self._logged.notify_all()


_SETTINGS = """\
[ingest]
listen = ["127.0.0.1:0"]
[spool]
url = "{spool}"
bytes_max = "8GiB"
free_bytes_min = "1MiB"
[operations]
listen = "127.0.0.1:0"
grpc_listen = "127.0.0.1:0"
[connections.default]
app_id = "sandbox"
access_token = "{token}"
base_url = "{base_url}"
"""
