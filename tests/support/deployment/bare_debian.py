"""The Dockerfile's steps on a bare Debian: debootstrap and chroot in the place of a registry and a builder.

It needs root, debootstrap, and a mirror of Debian: the URL in DEBIAN_MIRROR, or the one that debootstrap chooses.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from deployment.dockerfile import Instruction, base, pairs, stages, variables
from deployment.files import ROOT

NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
WHEELS = "/wheels"
# Python, and what else the base image has.
PACKAGES = "python3,python3-pip,python-is-python3,ca-certificates"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOLD = 'mount --make-rprivate / && ip link set lo up && mount --bind "$1" "$1" && mount -t proc proc "$1/proc"'
READ_ONLY = 'mount --bind "$2" "$1$3" && mount -o remount,ro,bind "$1"'
WAIT = "echo ready && exec cat"


def _run(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def bare_system(root: Path) -> None:
    """Make the release of Debian that the base image is of, with the Python of its name."""
    found = re.fullmatch(r"python:(\d\.\d+)-slim-(\w+)", base())
    assert found
    version, release = found.groups()
    mirror = [os.environ["DEBIAN_MIRROR"]] if "DEBIAN_MIRROR" in os.environ else []
    _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, root, *mirror)
    shutil.rmtree(root / "var/cache/apt")
    shutil.rmtree(root / "var/lib/apt/lists")
    assert _run("chroot", root, "python", "--version").startswith(f"Python {version}.")


def download(folder: Path, version: str) -> None:
    """Download the wheels that the lock names, for a Python that is not the one that runs here."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", folder)
    _run(*pip, "--only-binary", ":all:", "--python-version", version, "-r", ROOT / "requirements.txt")
    setuptools = re.search(r"(?ms)^setuptools==.*?[^\\]$", (ROOT / "requirements-dev.txt").read_text())
    assert setuptools
    build = folder / "requirements-build.txt"
    build.write_text(setuptools[0])
    _run(*pip, "-r", build)


class Machine:
    """A root with processes of its own network, which is loopback alone, until it is closed.

    With a volume its file system can only be read, but for the volume.
    """

    def __init__(self, root: Path, environment: dict[str, str], volume: tuple[Path, str] | None = None) -> None:
        self.root = root
        self.environment = environment
        steps = [HOLD, *([READ_ONLY] if volume else []), WAIT]
        self._holder = subprocess.Popen(  # noqa: S603 - our own words
            ["unshare", "--mount", "--net", "sh", "-ec", " && ".join(steps), "sh", root, *(volume or ())],  # noqa: S607
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._holder.stdout
        assert self._holder.stdout.readline() == b"ready\n"

    def close(self) -> None:
        self._holder.communicate()

    def words(self, *words: str, user: str = "0:0", folder: str = "/") -> list[str]:
        """Return a command that runs here, in place of the process that starts it."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        inside = ["chroot", f"--userspec={user}", str(self.root), "env", f"--chdir={folder}", "-i", *variables, *words]
        return ["nsenter", f"--target={self._holder.pid}", "--mount", "--net", *inside]

    def run(self, *words: str, user: str = "0:0", folder: str = "/", send: str = "") -> tuple[int, str]:
        """Return the exit code, and what was printed."""
        done = subprocess.run(  # noqa: S603 - our own words
            self.words(*words, user=user, folder=folder),
            input=send, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout


def build(root: Path, image: Path) -> None:
    """Perform each stage on its root. What pip installs comes from a folder: the builder has no network."""
    for stage, below in zip(stages(), (root, image), strict=True):
        environment = {"PATH": PATH, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
        folder = "/"
        machine = Machine(below, environment)
        try:
            for name, rest in stage:
                folder = _perform(machine, Instruction(name, rest), folder, root)
        finally:
            machine.close()


def _perform(machine: Machine, instruction: Instruction, folder: str, built: Path) -> str:
    """Perform one instruction; return the working directory after it."""
    name, rest = instruction
    if name == "WORKDIR":
        (machine.root / rest[1:]).mkdir(parents=True, exist_ok=True)
        return rest
    if name == "ENV":
        machine.environment.update((one, value.replace("$PATH", PATH)) for one, value in pairs(rest).items())
    elif name == "COPY" and rest.startswith("--from=build "):
        source, target = rest.split(" ")[1:]
        _run("cp", "--archive", built / source[1:], machine.root / target[1:])
    elif name == "COPY":
        *sources, target = rest.split(" ")
        for source in sources:
            _copy(ROOT / source, machine.root / folder[1:] / target / ("" if source.endswith("/") else source))
    elif name == "RUN":
        code, printed = machine.run("/bin/sh", "-c", rest, folder=folder)
        assert code == 0, f"{rest}\n{printed}"
    return folder


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=NOT_COPIED, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def environment() -> dict[str, str]:
    """Return the variables of a container of the image."""
    return {"PATH": PATH} | {name: value.replace("$PATH", PATH) for name, value in variables().items()}


def mebibytes(folder: Path) -> int:
    """Return the size of the files below a folder."""
    return int(_run("du", "--summarize", "--block-size=1M", "--one-file-system", folder).split()[0])
