"""For all tests: default signals for the processes that they start, Hypothesis without time limits, and `--pure`.

`--pure` collects only the quick tests of pure modules.
"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import signals
from purity import is_pure_test

signals.restore_defaults()
# No test asserts a duration: on a loaded machine an example may take long, and so may its generation.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
# Each of these prepares something large once, which all of its tests use.
ONE_PROCESS = ("tests/deliver/test_faults.py", "tests/deploy/test_wheels.py", "tests/test_dockerfile.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's types
    """Gives tests to any free process, but keeps those of each of some files together."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - imported only where tests run in parallel

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return path if path in ONE_PROCESS else nodeid

    return Scheduling(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pure", action="store_true", help="collect only the tests of pure modules")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves files out before they are imported: importing all of them takes longer than the pure tests."""
    if config.getoption("--pure") and collection_path.suffix == ".py":
        return not is_pure_test(collection_path) or None
    return None
