"""For all tests: default signals for the processes that they start, Hypothesis without time limits, and options.

`--pure` collects only the quick tests of pure modules. `--cover-pure`, with `-n`, measures their coverage.
"""

import gc
import sys
from collections.abc import Iterator
from functools import cache
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

import signals
from deadlines import GRACE_SECONDS, LONGEST_SECONDS_MAX, TEST_SECONDS_MAX, alarm, ending
from ports import free_port
from purity import impure_modules, is_pure_test

signals.restore_defaults()
# No test asserts a duration: on a loaded machine an example may take long, and so may its generation.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
ROOT = Path(__file__).parents[1]
_MEASURED = pytest.StashKey["_Measured"]()
# Their tests, or the fixtures that these share, take longest, the first ones minutes: what starts last would end last.
LONGEST = (
    "tests/fleet/test_chaos.py",
    "tests/crash/test_kills.py",
    "tests/deliver/test_faults.py",
    "tests/spool/test_model.py",
    "tests/deploy/test_wheels.py",
    "tests/test_dockerfile.py",
    "tests/crash/test_chain.py",
    "tests/fleet/test_lease.py",
    "tests/deliver/test_responses.py",
    "tests/spool/sqlite/test_engine_power_cut.py",
    "tests/spool/sqlite/test_small_volume.py",
    "tests/spool/sqlite/test_engine_failing_calls.py",
    "tests/e2e/test_answers.py",
    "tests/e2e/test_agent.py",
    "tests/e2e/test_local_proxies.py",
    "tests/fleet/test_demo.py",
    "tests/cli/demo/test_command.py",
    "tests/test_documents_run.py",
    "tests/app/test_listeners.py",
    "tests/e2e/test_job.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Collects no garbage while the items are made, and never looks for it among them: they stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's types
    """Gives units of tests, in their order, to any free process."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - imported only where tests run in parallel

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _unit_of(nodeid)

    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Orders the units for several processes: the longest first, then the others mixed, so that no process idles.

    The tests of a unit keep their order.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _turn(_unit_of(item.nodeid)))


def _turn(unit: str) -> tuple[int, int]:
    place = next((place for place, file in enumerate(LONGEST) if unit.startswith(file)), len(LONGEST))
    return place, crc32(unit.encode())


def _unit_of(nodeid: str) -> str:
    """Returns what runs in one process: a file if `_stays_together`, else a test."""
    file = nodeid.partition("::")[0]
    return file if _stays_together(file) else nodeid


@cache
def _stays_together(file: str) -> bool:
    """Whether tests of a file share a fixture, or are so quick that handing out each of them would take longer.

    Tests that share a daemon or a sandbox name the event loop that they share with it: `loop_scope="module"`.
    """
    path = ROOT / file
    return (is_pure_test(path) and file not in LONGEST) or 'scope="module"' in path.read_text()


@pytest.fixture
def unused_tcp_port() -> int:
    """Returns a port that stays free until a test listens there; the one of pytest-asyncio may not."""
    return free_port()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Ends a coroutine that hangs. One that fails leaves no daemon: what is open to it would make another test fail."""
    if not isinstance(item, pytest.Function) or not iscoroutinefunction(item.obj):
        return
    item.obj = ending(item.obj, _seconds_max(item))
    daemons = sys.modules.get("daemons.process")  # Its import takes longer than the pure tests.
    if daemons is not None:
        item.obj = daemons.owning_daemons(item.obj)


def _seconds_max(item: pytest.Item) -> float:
    return LONGEST_SECONDS_MAX if item.nodeid.startswith(LONGEST) else TEST_SECONDS_MAX


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pure", action="store_true", help="collect only the tests of pure modules")
    parser.addoption("--cover-pure", action="store_true", help="measure the branch coverage of pure modules")


class _Measured:
    """The coverage of the pure modules, while they are imported and while their own tests run.

    Other tests run without the tracing, which takes processor time. So a cached function that they have called is not
    seen again: the tests of these functions use arguments of their own.
    """

    def __init__(self, folder: Path) -> None:
        self._coverage = Coverage(
            str(folder / ".coverage"),
            data_suffix=True,
            branch=True,
            config_file=False,
            source_pkgs=["intercomd_daemon"],
            omit=[str(path) for path in impure_modules()],
        )
        self._on = False

    def switch(self, *, on: bool) -> None:
        """Starts or stops to measure."""
        if on and not self._on:
            self._coverage.start()
        elif self._on and not on:
            self._coverage.stop()
        self._on = on

    def save(self) -> None:
        """Ends, and saves what was measured."""
        self.switch(on=False)
        self._coverage.save()


def pytest_configure(config: pytest.Config) -> None:
    """Measures in the processes that run tests, before these import anything; in none that the tests start."""
    if config.getoption("--cover-pure") and hasattr(config, "workerinput"):
        measured = _Measured(config.rootpath)
        measured.switch(on=True)
        config.stash[_MEASURED] = measured


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Measures while a test of a pure module runs, and ends any that hangs; with its fixtures."""
    measured = item.config.stash.get(_MEASURED, None)
    if measured is not None:
        measured.switch(on=is_pure_test(item.path))
    with alarm(_seconds_max(item) + GRACE_SECONDS):
        return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Saves what was measured before the process reports its end: xdist kills it 10 s later, whatever it does then."""
    measured = session.config.stash.get(_MEASURED, None)
    if measured is not None:
        measured.save()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves files out before they are imported: importing all of them takes longer than the pure tests."""
    if config.getoption("--pure") and collection_path.suffix == ".py":
        return not is_pure_test(collection_path) or None
    return None
