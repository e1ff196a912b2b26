"""Makes the Python stubs out of proto/: messages, services, and their types. The one place that knows the command.

    python clients/python/generate.py             writes clients/python/intercomd/v1
    python clients/python/generate.py DIRECTORY   writes DIRECTORY/intercomd/v1, to compare

It needs grpcio-tools and mypy-protobuf in the same environment. What it writes is committed, and never edited by hand.
"""

import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parent
PROTO = CLIENT.parents[1] / "proto"
PACKAGE_DOCSTRING = '"""The messages and services of intercomd.v1. Written by generate.py, never edited by hand."""\n'


def protoc_commands(output: Path) -> list[list[str]]:
    """The two calls of protoc: messages of every file, and stubs of those files that hold a service."""
    files = sorted(str(path) for path in (PROTO / "intercomd" / "v1").glob("*.proto"))
    services = [path for path in files if "\nservice " in Path(path).read_text(encoding="utf-8")]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}"]
    binaries = Path(sys.executable).parent
    plugins = [f"--plugin={name}={binaries / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    return [
        [*protoc, *plugins, f"--python_out={output}", f"--mypy_out=quiet:{output}", *files],
        [*protoc, *plugins, f"--grpc_python_out={output}", f"--mypy_grpc_out=quiet:{output}", *services],
    ]


def generate(output: Path) -> None:
    """Writes `output`/intercomd/v1 anew, so that a message that is gone leaves nothing behind."""
    package = output / "intercomd" / "v1"
    package.mkdir(parents=True, exist_ok=True)
    for stale in package.glob("*.py*"):
        stale.unlink()
    (package / "__init__.py").write_text(PACKAGE_DOCSTRING, encoding="utf-8")
    for command in protoc_commands(output):
        subprocess.run(command, check=True)  # noqa: S603 - the command is made of constants and this file's own place


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else CLIENT)
