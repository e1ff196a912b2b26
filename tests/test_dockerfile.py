"""The image, built by hand: the steps of the Dockerfile as they stand there, in a folder in the place of a root."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from deployment.dockerfile import DOCKERFILE, base, command, healthcheck, instructions, of_the_image, stages, variables
from deployment.files import ROOT
from intercomd_daemon import config
from intercomd_daemon.errors import SettingsInvalid

VOLUME = "/var/lib/intercomd"
INSTALLED = "/opt/intercomd"
ACCESS = {"INTERCOMD_APP_ID": "sandbox", "INTERCOMD_ACCESS_TOKEN": "sandbox-token"}
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")


def is_let_through(path: str) -> bool:
    """Whether .dockerignore lets a path into the build: the last pattern that matches it, or a folder above it."""
    let_through = True
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    above = [path, *map(str, Path(path).parents)]
    for pattern in patterns:
        bare = pattern.removeprefix("!").removeprefix("**/")
        if any(fnmatch(Path(one).name if "**/" in pattern else one, bare) for one in above):
            let_through = pattern.startswith("!")
    return let_through


@dataclass
class Image:
    """A root to which the build's steps were applied; only what they name below it is there."""

    root: Path

    def below(self, text: str) -> str:
        """A command or value with the image's folders where they are here."""
        return text.replace(INSTALLED, str(self.root / "opt/intercomd")).replace(VOLUME, str(self.root / "volume"))

    def build(self) -> None:
        """Performs COPY and RUN of the first stage."""
        folder = self.root / "build"
        for name, rest in stages()[0]:
            if name == "COPY":
                *sources, target = rest.split(" ")
                for source in sources:
                    self.copy(ROOT / source, folder / target / ("" if source.endswith("/") else source))
            elif name == "RUN":
                path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
                environment = os.environ | {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
                ran = subprocess.run(  # noqa: S603 - our own Dockerfile's steps
                    ["/bin/sh", "-ec", self.below(rest)],
                    cwd=folder, env=environment, capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert ran.returncode == 0, f"{rest}\n{ran.stdout}{ran.stderr}"

    def copy(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=NOT_COPIED, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)

    def environment(self) -> dict[str, str]:
        """The image's variables; listeners are sockets, so that no port is taken."""
        image = {name: self.below(value).replace("$PATH", os.environ["PATH"]) for name, value in variables().items()}
        return image | ACCESS | {
            "INTERCOMD_BASE_URL": "http://127.0.0.1:9",
            "INTERCOMD_INGEST_LISTEN": f"unix:{self.root}/ingest",
            "INTERCOMD_HEALTH_LISTEN": f"unix:{self.root}/health",
            "INTERCOMD_OPERATIONS_LISTEN": f"unix:{self.root}/pages",
            "INTERCOMD_OPERATIONS_GRPC_LISTEN": f"unix:{self.root}/operations",
        }  # fmt: skip

    def start(self, words: list[str]) -> subprocess.Popen[str]:
        """A process as the image has it: its variables, its programs, and a working directory that is read-only."""
        folder = self.root / "empty"
        folder.mkdir(mode=0o555, exist_ok=True)
        program = self.root / "opt/intercomd/bin" / words[0]
        return subprocess.Popen(  # noqa: S603 - our own Dockerfile's commands
            [program, *words[1:]],
            cwd=folder, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, words: list[str]) -> tuple[int, str]:
        process = self.start(words)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output + errors

    def files(self) -> dict[str, int]:
        """What is installed, and when each file was last written; and what lies in the working directory."""
        found = [*(self.root / "opt").rglob("*"), *(self.root / "empty").rglob("*")]
        return {str(path): path.lstat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Built once; in a short path, since sockets have short names."""
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        built = Image(Path(folder))
        built.build()
        (built.root / "volume").mkdir()
        yield built


def test_copied_files_exist_and_reach_the_build() -> None:
    copied = [rest.split(" ")[:-1] for name, rest in stages()[0] if name == "COPY"]
    for path in (source.rstrip("/") for sources in copied for source in sources):
        assert (ROOT / path).exists()
        assert is_let_through(path)


@pytest.mark.parametrize("path", [".git", ".venv", "tests", "intercomd.db", "daemon/intercomd_daemon/__pycache__"])
def test_other_files_stay_out_of_the_build(path: str) -> None:
    assert not is_let_through(path)


def test_both_stages_have_one_python_and_no_registry_is_named() -> None:
    bases = [rest.split(" ")[0] for name, rest in instructions() if name == "FROM"]
    assert bases[0] == bases[1]
    assert re.fullmatch(r"python:3\.1\d-slim-\w+", base())
    assert "://" not in DOCKERFILE.read_text()


def test_image_runs_as_a_numeric_user_that_owns_the_volume() -> None:
    assert of_the_image("USER") == ["10001:10001"]
    assert of_the_image("VOLUME") == [f'["{VOLUME}"]']
    assert of_the_image("RUN") == [f"install -d -m 0750 -o 10001 -g 10001 {VOLUME}"]


def test_variables_of_the_image_are_settings() -> None:
    """Of all settings they change three: where senders and probes are answered, and where the spool is."""
    loaded = config.load(None, variables() | ACCESS | {"INTERCOMD_INGEST_INSECURE": "true"})
    assert not loaded.warnings
    changed = {key for key, origin in loaded.origins.items() if origin in variables()}
    assert changed == {"ingest.listen", "health.listen", "spool.url"}
    assert loaded.settings.ingest.listen == ("0.0.0.0:50051",)
    assert loaded.settings.health.listen == ("0.0.0.0:9092",)
    assert loaded.settings.spool.path == f"{VOLUME}/spool.db"


def test_image_starts_only_once_it_is_decided_who_may_publish() -> None:
    """Open to every interface of the container, `run` and `check` exit with 78 and name all four choices."""
    with pytest.raises(SettingsInvalid) as refused:
        config.load(None, variables() | ACCESS)
    (problem,) = refused.value.problems
    for choice in (
        "[callers.<name>]",
        "ingest.tls.client_ca_file",
        "INTERCOMD_INGEST_LISTEN=127.0.0.1:50051",
        "INTERCOMD_INGEST_INSECURE=true",
    ):
        assert choice in problem
    config.load(None, variables() | ACCESS | {"INTERCOMD_INGEST_LISTEN": "127.0.0.1:50051"})
    config.load(None, variables() | ACCESS | {"INTERCOMD_CALLERS_SHOP_TOKEN_SHA256": "a" * 64})


def test_image_knows_its_version(image: Image) -> None:
    assert image.run([*command("ENTRYPOINT"), "--version"]) == (0, "intercomd, version 0.2.0\n")


def test_image_runs_a_healthy_daemon_that_ends_on_sigterm(image: Image) -> None:
    """It writes to its volume alone."""
    assert image.run(healthcheck())[0] == 1
    before = image.files()
    daemon = image.start([*command("ENTRYPOINT"), *command("CMD")])
    assert daemon.stderr
    said = []
    for line in daemon.stderr:
        said.append(line)
        if '"serving"' in line:
            break
    assert daemon.poll() is None, "".join(said)
    assert image.run(healthcheck())[0] == 0
    daemon.send_signal(signal.SIGTERM)
    _, rest = daemon.communicate(timeout=60)
    assert daemon.returncode == 0, rest
    assert (image.root / "volume/spool.db").exists()
    assert image.files() == before
