"""Runs the tests of the pure modules under coverage, and fails unless every branch of them was taken."""

import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "support"))  # where pytest finds it too

from purity import pure_modules

ROOT = Path(__file__).parent.parent
COVERAGE = (sys.executable, "-m", "coverage")
# Run side by side. The worker's tests await real calls, and reach no branch of a pure module that its own tests leave
# out.
GROUPS = (
    ("tests/deliver", "--ignore=tests/deliver/test_worker.py"),
    (
        *("tests/ingest", "tests/rpc", "tests/spool", "tests/setting", "tests/config", "tests/test_reasons.py"),
        *("tests/test_connection.py", "tests/test_conversion.py", "tests/test_trace_context.py"),
    ),
)


def main() -> int:
    """Returns exit code 0 if the tests pass and the coverage is complete."""
    include = ",".join(str(path.relative_to(ROOT)) for path in pure_modules())
    _coverage("erase").wait()
    running = [_coverage("run", "--branch", "--parallel-mode", "-m", "pytest", *tests) for tests in GROUPS]
    codes = [tests.wait() for tests in running]
    if any(codes):
        return 1
    combined = _coverage("combine", "--quiet").wait()
    return combined or _coverage("report", "--fail-under=100", f"--include={include}").wait()


def _coverage(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COVERAGE, *arguments], cwd=ROOT)  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
