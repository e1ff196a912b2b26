"""Runs the tests of the pure modules under coverage, and fails unless every branch of them was taken."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).parent.parent
COVERAGE = (sys.executable, "-m", "coverage")
# The worker's tests await real calls, and reach no branch of a pure module that its own tests leave out.
TESTS = (
    "tests/ingest",
    "tests/deliver",
    "tests/rpc",
    "tests/test_reasons.py",
    "tests/spool",
    "tests/setting",
    "tests/config",
    "tests/test_connection.py",
    "tests/test_conversion.py",
    "--ignore=tests/deliver/test_worker.py",
)


def pure_modules() -> list[str]:
    """The files that the architecture says are pure."""
    spec = spec_from_file_location("architecture", ROOT / "tests" / "test_architecture.py")
    if spec is None or spec.loader is None:
        raise ImportError
    architecture = module_from_spec(spec)
    spec.loader.exec_module(architecture)
    return [str(path.relative_to(ROOT)) for path in architecture.MODULES if architecture.is_pure(path)]


def main() -> int:
    """Exit code 0 if the tests pass and the coverage is complete."""
    include = ",".join(pure_modules())
    report = ("report", "--fail-under=100", f"--include={include}")
    return _coverage("run", "--branch", "-m", "pytest", *TESTS) or _coverage(*report)


def _coverage(*arguments: str) -> int:
    return subprocess.run([*COVERAGE, *arguments], cwd=ROOT, check=False).returncode  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
