"""For all tests: default signals for the processes that they start, Hypothesis without time limits, and `--pure`.

`--pure` collects only the quick tests of pure modules.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import signals
from purity import is_pure_test

signals.restore_defaults()
# No test asserts a duration: on a loaded machine an example may take long, and so may its generation.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pure", action="store_true", help="collect only the tests of pure modules")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves files out before they are imported: importing all of them takes longer than the pure tests."""
    if config.getoption("--pure") and collection_path.suffix == ".py":
        return not is_pure_test(collection_path) or None
    return None
