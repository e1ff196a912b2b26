"""The limit of open files."""

import resource
import subprocess
import sys

import pytest

from intercomd_daemon.app.file_limit import RESERVED, file_limit_warning
from intercomd_daemon.ingest.settings import IngestSettings


def test_soft_limit_becomes_the_hard_one() -> None:
    """In a process of its own: a lowered limit cannot be raised again."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128));"
        "from intercomd_daemon.app.file_limit import raise_file_limit;"
        "print(raise_file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout == "128 128 128\n"


@pytest.mark.parametrize(
    ("limit", "warned"), [(resource.RLIM_INFINITY, False), (2 * 100 + RESERVED, False), (2 * 100 + RESERVED - 1, True)]
)
def test_too_few_files_for_the_connections_are_a_warning(limit: int, warned: bool) -> None:
    settings = IngestSettings(listen=("127.0.0.1:1", "unix:a"), connections_max=100)
    warning = file_limit_warning(settings, limit)
    assert bool(warning) is warned
    if warned:
        assert f"need {2 * 100 + RESERVED} files, and this process may open {limit}" in warning
