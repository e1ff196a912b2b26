"""Runs the tests of the pure modules under coverage, and fails unless every branch of them was taken."""

import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "support"))  # where pytest finds it too

from purity import pure_modules

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


def main() -> int:
    """Exit code 0 if the tests pass and the coverage is complete."""
    include = ",".join(str(path.relative_to(ROOT)) for path in pure_modules())
    report = ("report", "--fail-under=100", f"--include={include}")
    return _coverage("run", "--branch", "-m", "pytest", *TESTS) or _coverage(*report)


def _coverage(*arguments: str) -> int:
    return subprocess.run([*COVERAGE, *arguments], cwd=ROOT, check=False).returncode  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
