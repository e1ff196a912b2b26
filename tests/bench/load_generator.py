"""The load generator in Go, `load/main.go`: its callers take less of the shared processors than callers in Python.

Requests and responses pass through files, see `messages.py`.
"""

import shutil
import subprocess
from pathlib import Path

from children import HERE, Program
from envelopes import wide_batches
from messages import read_messages, write_messages

from intercomd.v1.ingest_pb2 import PublishRequest, PublishResponse

_ACCEPTED = 1


class NotBuiltError(Exception):
    """Go is missing, or the build failed."""


def build(folder: Path) -> Path:
    """Returns the program, built in `folder`.

    Raises:
        NotBuiltError: Go is missing, or the build failed.
    """
    program = folder / "load"
    go = shutil.which("go")
    if go is None:
        raise NotBuiltError("go is not in PATH")
    built = subprocess.run(  # noqa: S603 - our own program
        [go, "build", "-o", program, "."], cwd=HERE / "load", capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise NotBuiltError(built.stderr)
    return program


class LoadGenerator(Program):
    """Calls a daemon's Publish over four channels."""

    def __init__(self, program: Path, target: str) -> None:
        """`program` is what `build` returned."""
        super().__init__(program, target)
        self._responses = program.with_name(f"responses-{self.process.pid}")

    def prepare(self, requests: Path) -> None:
        """Reads the requests of a file; the responses of the last run are gone."""
        self.ask(do="prepare", file=str(requests))

    def accepted(self) -> int:
        """Returns the number of envelopes that the last run had accepted."""
        self.ask(do="responses", file=str(self._responses))
        responses = map(PublishResponse.FromString, read_messages(self._responses))
        return sum(result.disposition == _ACCEPTED for response in responses for result in response.results)


def write_requests(file: Path, first: int, count: int, size: int) -> None:
    """Writes encoded requests of `size` envelopes each, from envelope `first` on."""
    write_messages(
        file, (PublishRequest(envelopes=batch).SerializeToString() for batch in wide_batches(first, count, size))
    )
