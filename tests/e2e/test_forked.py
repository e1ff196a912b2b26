"""The daemons of other tests are forked: they behave like those that are started as users start them."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from daemons.process import EXECUTABLE, Daemon, owning_daemons
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope


def daemons(folder: Path, sandbox: Sandbox) -> Sequence[Daemon]:
    """Returns a daemon that is forked and one that is not."""
    made = []
    for name, command in {"forked": (), "started": EXECUTABLE}.items():
        (folder / name).mkdir()
        made.append(Daemon(folder / name, sandbox.base_url, command=command))
    return made


async def log_of(daemon: Daemon) -> Counter[tuple[str, frozenset[str]]]:
    """Returns the events of a run from its start to its stop, with the names of their fields."""
    await daemon.start()
    await daemon.heard("connection", state="delivering")
    assert await daemon.stop() == 0
    await daemon.close()
    return Counter((line["event"], frozenset(line)) for line in daemon.lines)


def dispositions(pid: int) -> list[str]:
    """Returns which signals a process blocks, ignores and handles."""
    names = ("SigBlk:", "SigIgn:", "SigCgt:")
    return [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(names)]


def endpoints(pid: int) -> set[str]:
    """Returns the sockets and pipes that a process has open beside its standard descriptors."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add((int(descriptor.name), str(descriptor.readlink())))
    return {name for number, name in found if number > 2 and name.startswith(("socket:", "pipe:"))}


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


async def test_forked_daemon_logs_what_a_started_one_logs(tmp_path: Path, sandbox: Sandbox) -> None:
    forked, started = daemons(tmp_path, sandbox)
    assert await log_of(forked) == await log_of(started)


async def test_forked_daemon_has_the_signals_of_a_started_one_and_its_own_descriptors(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    seen = []
    for daemon in daemons(tmp_path, sandbox):
        await daemon.start()
        assert not endpoints(daemon.pid) & endpoints(parent_of(daemon.pid))
        seen.append(dispositions(daemon.pid))
        await daemon.kill()
        assert await daemon.gone() == -signal.SIGKILL
        await daemon.close()
    assert seen[0] == seen[1]


@pytest.mark.parametrize("command", [(), EXECUTABLE], ids=["forked", "started"])
async def test_test_that_fails_leaves_no_daemon(
    tmp_path: Path, sandbox: Sandbox, command: Sequence[str | Path]
) -> None:
    launched: list[Daemon] = []

    async def fails() -> None:
        launched.append(await Daemon(tmp_path, sandbox.base_url, command=command).start())
        await launched[0].publish(envelope("u1", "Opened"))
        raise LookupError

    with pytest.raises(LookupError):
        await owning_daemons(fails)()
    assert not launched[0].runs


async def test_start_that_fails_leaves_no_daemon(tmp_path: Path, sandbox: Sandbox) -> None:
    daemon = Daemon(tmp_path, sandbox.base_url)
    starting = asyncio.create_task(daemon.start())
    await daemon.until(lambda: daemon.lines)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not daemon.runs
