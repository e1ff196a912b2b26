"""An installation without Docker: both distributions, built as wheels and installed beside nothing else."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from typing import NamedTuple

import pytest

from deployment.files import ROOT
from intercomd_daemon import __version__

SOURCES = {
    "intercomd": ROOT / "daemon" / "intercomd_daemon",
    "intercomd_client": ROOT / "clients" / "python" / "intercomd",
}
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
FILES = ("pyproject.toml", "build_backend.py", "README.md", "LICENSE", "requirements.txt")


def run(*words: str | Path, folder: Path, **environment: str) -> str:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("INTERCOMD_", "PYTHON", "VIRTUAL"))
    }
    done = subprocess.run(  # noqa: S603 - our own words
        words, cwd=folder, env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Installation(NamedTuple):
    wheels: dict[str, Path]
    folder: Path
    """A virtual environment with the wheels and what they need."""
    checkout: str
    """What `intercomd --version` printed after `pip install .`."""

    def run(self, program: str, *words: str, **environment: str) -> str:
        return run(self.folder / "bin" / program, *words, folder=self.folder, **environment)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """As the Dockerfile does it: the locked dependencies first, with their hashes, then the wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    source = folder / "source"
    for name in FILES:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    shutil.copytree(ROOT / "clients" / "python", source / "clients" / "python", ignore=NOT_COPIED)
    shutil.copytree(SOURCES["intercomd"], source / "daemon" / "intercomd_daemon", ignore=NOT_COPIED)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, "./clients/python", ".", folder=source)
    wheels = {path.name.partition("-")[0]: path for path in folder.glob("*.whl")}
    installed = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", installed, folder=folder)
    into = (*pip, "--python", installed, "install")
    run(*into, "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", "requirements.txt", folder=source)
    # `pip install .` of a checkout: offline, as all that is left to find is the client. Then the wheels replace it.
    build = re.search(r"(?ms)^setuptools==.*?[^\\]$", (ROOT / "requirements-dev.txt").read_text())
    assert build
    (source / "requirements-build.txt").write_text(build[0])
    run(*into, "--no-deps", "--require-hashes", "-r", "requirements-build.txt", folder=source)
    run(*into, "--no-index", "--no-build-isolation", ".", folder=source)
    checkout = run(installed / "bin" / "intercomd", "--version", folder=folder)
    run(*into, "--no-deps", "--no-index", "--force-reinstall", *wheels.values(), folder=folder)
    yield Installation(wheels, installed, checkout)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", SOURCES)
def test_wheel_has_every_file_of_its_package_and_nothing_else(name: str, installation: Installation) -> None:
    source = SOURCES[name]
    expected = {
        str(path.relative_to(source.parent))
        for path in source.rglob("*")
        if path.suffix in {".py", ".pyi", ".typed", ".jsonl", ".sql"} and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(installation.wheels[name]) as wheel:
        found = {one for one in wheel.namelist() if ".dist-info/" not in one}
    assert found == expected


@pytest.mark.parametrize("name", SOURCES)
def test_wheel_says_what_it_needs(name: str, installation: Installation) -> None:
    with zipfile.ZipFile(installation.wheels[name]) as wheel:
        text = next(wheel.read(one).decode() for one in wheel.namelist() if one.endswith("/METADATA"))
        licences = [one for one in wheel.namelist() if one.endswith("/licenses/LICENSE")]
    metadata = Parser().parsestr(text)
    assert (metadata["Version"], metadata["Requires-Python"]) == (__version__, ">=3.11")
    needed = metadata.get_all("Requires-Dist", [])
    assert needed
    assert not [one for one in needed if "@" in one], "a path of this machine"
    assert name == "intercomd_client" or f"intercomd-client=={__version__}" in needed
    assert len(licences) == 1


def test_installed_packages_are_compatible(installation: Installation) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", installation.folder)
    assert "No broken requirements found" in run(*pip, "check", folder=installation.folder)


def test_checkout_is_installed_with_its_client(installation: Installation) -> None:
    assert installation.checkout == f"intercomd, version {__version__}\n"


def test_installed_command_runs(installation: Installation) -> None:
    assert installation.run("intercomd", "--version") == f"intercomd, version {__version__}\n"
    found = installation.run(
        "intercomd", "check", "--offline", INTERCOMD_APP_ID="abc12345", INTERCOMD_ACCESS_TOKEN="a-token-of-intercom"
    )
    assert "1 connection (default)" in found


def test_installed_client_is_that_of_the_wheel(installation: Installation) -> None:
    shown = installation.run("python", "-c", "import intercomd; print(intercomd.Publisher, intercomd.__file__)")
    assert str(installation.folder) in shown


def test_demo_runs_to_its_end(installation: Installation) -> None:
    """A sandbox, a daemon in a process of its own, the client and the commands, of what was installed alone."""
    installation.run("intercomd", "demo")
