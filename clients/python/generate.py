"""Generates the Python stubs from proto/: messages, services, and their types.

    python clients/python/generate.py             writes clients/python/intercomd/v1
    python clients/python/generate.py DIRECTORY   writes DIRECTORY/intercomd/v1, to compare

It needs grpcio-tools and mypy-protobuf in the same environment. The output is committed; never edit it by hand.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

CLIENT = Path(__file__).resolve().parent
PROTO = CLIENT.parents[1] / "proto"
DESCRIPTORS = "descriptors.bin"
PACKAGE = '''"""Every message, enum and service stub of intercomd.v1. Written by generate.py; do not edit it.

A name is imported when it is first used: `from intercomd.v1 import Envelope` loads neither grpc nor the other files.
"""

from importlib import import_module

_MODULES = {
%(modules)s
}

__all__ = list(_MODULES)  # noqa: PLE0605 - __init__.pyi lists them for type checkers


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
'''


def protoc_commands(output: Path) -> list[list[str]]:
    """Returns the two calls of protoc: for the messages of every file, and for the stubs of files with a service."""
    files = sorted(str(path) for path in (PROTO / "intercomd" / "v1").glob("*.proto"))
    services = [path for path in files if "\nservice " in Path(path).read_text(encoding="utf-8")]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}"]
    binaries = Path(sys.executable).parent
    plugins = [f"--plugin={name}={binaries / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    descriptors = f"--descriptor_set_out={output / DESCRIPTORS}"
    return [
        [*protoc, *plugins, descriptors, f"--python_out={output}", f"--mypy_out=quiet:{output}", *files],
        [*protoc, *plugins, f"--grpc_python_out={output}", f"--mypy_grpc_out=quiet:{output}", *services],
    ]


def generate(output: Path) -> None:
    """Writes `output`/intercomd/v1, after deleting all old stubs."""
    package = output / "intercomd" / "v1"
    package.mkdir(parents=True, exist_ok=True)
    for stale in package.glob("*.py*"):
        stale.unlink()
    for command in protoc_commands(output):
        subprocess.run(command, check=True)  # noqa: S603 - constants and the path of this file
    descriptors = output / DESCRIPTORS
    modules = exported_names(FileDescriptorSet.FromString(descriptors.read_bytes()))
    descriptors.unlink()
    lines = [f'    "{name}": "{module}",' for name, module in modules.items()]
    (package / "__init__.py").write_text(PACKAGE % {"modules": "\n".join(lines)}, encoding="utf-8")
    lines = [f"from intercomd.v1.{module} import {name} as {name}" for name, module in modules.items()]
    lines += ["", "__all__ = [", *(f'    "{name}",' for name in modules), "]", ""]
    (package / "__init__.pyi").write_text("\n".join(lines), encoding="utf-8")


def exported_names(files: FileDescriptorSet) -> dict[str, str]:
    """Returns the module of every top-level message, enum and service stub, sorted by name."""
    modules: dict[str, str] = {}
    for file in files.file:
        module = Path(file.name).stem + "_pb2"
        modules |= {message.name: module for message in file.message_type}
        modules |= {enum.name: module for enum in file.enum_type}
        for service in file.service:
            modules |= {f"{service.name}{kind}": f"{module}_grpc" for kind in ("Servicer", "Stub")}
    return dict(sorted(modules.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", type=Path, default=CLIENT, metavar="DIRECTORY")
    generate(parser.parse_args().output)
