"""The image as the Dockerfile builds it, on a bare Debian, and a daemon in it: `make image` runs this."""

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from deployment.bare_debian import WHEELS, Machine, bare_system, build, download, environment, mebibytes
from deployment.dockerfile import base, command, healthcheck, of_the_image

PROGRAM = command("ENTRYPOINT")
DAEMON = [*PROGRAM, *command("CMD")]
SANDBOX = {
    "INTERCOMD_BASE_URL": "http://127.0.0.1:8080",
    "INTERCOMD_APP_ID": "sandbox",
    "INTERCOMD_ACCESS_TOKEN": "sandbox-token",
}
OPEN = {"INTERCOMD_INGEST_INSECURE": "true"}
ENVELOPES = "".join(
    json.dumps({"identity": {"customer_id": f"user-{number}"}, "custom_event": {"name": "proof"}}) + "\n"
    for number in range(20)
)
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)"
WRITE = "open('/opt/intercomd/written', 'w')"


class Container(NamedTuple):
    machine: Machine
    user: str

    def run(self, *words: str, send: str = "") -> tuple[int, str]:
        return self.machine.run(*words, user=self.user, send=send)

    @contextmanager
    def running(self, *words: str, until: str) -> Iterator[subprocess.Popen[str]]:
        """Yield a process that has printed a line with this word, and kill it if it still runs afterwards."""
        inside = self.machine.words(*words, user=self.user)
        with subprocess.Popen(inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 - the image's own commands
            try:
                assert process.stdout
                printed = []
                for line in process.stdout:
                    printed.append(line)
                    if until in line:
                        break
                else:
                    raise AssertionError("".join(printed))
                yield process
            finally:
                process.kill()


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The root of the image, and beside it its volume."""
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        builder, root = folder / "build", folder / "image"
        bare_system(builder)
        # With the rights of a root, not of a temporary folder.
        folder.chmod(0o755)
        subprocess.run(["cp", "--archive", builder, root], check=True)  # noqa: S603, S607
        before = mebibytes(root)
        download(builder / WHEELS[1:], base().partition(":")[2].partition("-")[0])
        build(builder, root)
        (volume,) = json.loads(of_the_image("VOLUME")[0])
        subprocess.run(["cp", "--archive", root / volume[1:], folder / "volume"], check=True)  # noqa: S603, S607
        own = mebibytes(root / "opt/intercomd")
        print(f"\nimage: {mebibytes(root)} MiB, of which /opt/intercomd {own} and the base as built here {before}")  # noqa: T201
        yield root


@pytest.fixture
def container(image: Path) -> Iterator[Container]:
    """As `docker run --read-only` starts it, with the network of a pod of its own."""
    (volume,) = json.loads(of_the_image("VOLUME")[0])
    machine = Machine(image, environment() | SANDBOX, (image.with_name("volume"), volume))
    yield Container(machine, of_the_image("USER")[0])
    machine.close()


@pytest.mark.parametrize("words", [DAEMON, [*PROGRAM, "check", "--offline"]])
def test_image_starts_only_once_it_is_decided_who_may_publish(words: list[str], container: Container) -> None:
    code, printed = container.run(*words)
    assert code == 78
    for choice in (
        "[callers.<name>]",
        "ingest.tls.client_ca_file",
        "INTERCOMD_INGEST_LISTEN=127.0.0.1:50051",
        "INTERCOMD_INGEST_INSECURE=true",
    ):
        assert choice in printed


def test_daemon_of_the_image_delivers_and_stops(container: Container) -> None:
    """As user 10001, on a root that can only be read: it writes to its volume alone."""
    container.machine.environment.update(OPEN)
    assert container.run(*healthcheck())[0] == 1
    assert "Read-only file system" in container.machine.run("python", "-c", WRITE)[1]
    with (
        container.running(*PROGRAM, "sandbox", "--port", "8080", "--json", until="base_url"),
        container.running(*DAEMON, until='"serving"') as daemon,
    ):
        for path in ("healthz", "readyz", "metrics"):
            assert container.run("python", "-c", FETCH, f"http://127.0.0.1:9092/{path}") == (0, "200\n")
        assert container.run(*healthcheck())[0] == 0
        code, printed = container.run(*PROGRAM, "send", "--wait", "--json", "-", send=ENVELOPES)
        assert code == 0, printed
        assert printed.count("DELIVERED") >= ENVELOPES.count("\n"), printed
        daemon.send_signal(signal.SIGTERM)
        rest, _ = daemon.communicate(timeout=60)
        assert daemon.returncode == 0, rest
