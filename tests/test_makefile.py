"""The Makefile sets up the virtual environment, or says what is missing."""

import subprocess
import sys
from pathlib import Path

from documents import ROOT


def test_older_python_is_refused_with_the_fix(tmp_path: Path) -> None:
    """Before anything is created: a virtual environment keeps its first Python."""
    older = tmp_path / "python3.10"
    claim = "import sys; sys.version_info = (3, 10, 12); exec(sys.argv[1])"
    older.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{claim}" "$2"\n')
    older.chmod(0o755)
    ended = subprocess.run(  # noqa: S603 - our own words
        ["/usr/bin/env", "make", "install", f"PYTHON={older}", f"VENV={tmp_path}/venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert f"{older} is Python 3.10, and intercomd needs 3.11 or later: name one" in ended.stderr
    assert not (tmp_path / "venv").exists()
