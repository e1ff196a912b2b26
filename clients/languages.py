"""The languages of the clients: how each is built and checked, and how its stubs and its conformance driver are made.

Commands run in the client's folder, with its own tools first in PATH.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent
PROTO = CLIENTS.parent / "proto"
Command = tuple[str, ...]


class NotRunError(Exception):
    """A toolchain is missing, or its tools cannot be built."""


class FailedError(Exception):
    """A command has failed."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language with a client.

    Attributes:
        name: the client's folder.
        programs: what must be in PATH.
        prepare: installs or builds the tools and the driver.
        checks: style, types and tests.
        plugins: protoc's arguments that generate the stubs into {output}.
        stubs: the folder of the stubs, below the client's; empty: there are none.
        driver: starts the conformance driver.
        protoc: the compiler, where that of grpcio-tools lacks the language's generator.
    """

    name: str
    programs: tuple[str, ...]
    prepare: tuple[Command, ...]
    checks: tuple[Command, ...]
    plugins: tuple[str, ...] = ()
    stubs: str = ""
    driver: Command = ()
    protoc: Command = (sys.executable, "-m", "grpc_tools.protoc")

    @property
    def folder(self) -> Path:
        """Where the client is."""
        return CLIENTS / self.name

    def build(self) -> None:
        """Prepares the tools and the driver.

        Raises:
            NotRunError: a program is missing, or a command failed.
        """
        if missing := [program for program in self.programs if shutil.which(program) is None]:
            raise NotRunError(f"{', '.join(missing)} not in PATH")
        try:
            for command in self.prepare:
                self.run(command)
        except FailedError as error:
            raise NotRunError(str(error)) from error

    def run(self, command: Sequence[str]) -> str:
        """Runs a command; returns what it printed.

        Raises:
            FailedError: its exit code is not 0; the message holds what it printed.
        """
        environment = os.environ | {"PATH": f"{self.folder / 'build' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        ended = subprocess.run(  # noqa: S603 - constants of this file
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise FailedError(f"`{' '.join(command)}` in {self.folder}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def generate(self, output: Path) -> None:
        """Writes the stubs below `output`, after deleting all old ones.

        Raises:
            FailedError: protoc failed.
        """
        shutil.rmtree(output / self.stubs, ignore_errors=True)
        (output / self.stubs).mkdir(parents=True)
        files = sorted(str(path) for path in (PROTO / "intercomd" / "v1").glob("*.proto"))
        arguments = [argument.format(output=output, stubs=output / self.stubs) for argument in self.plugins]
        self.run([*self.protoc, f"-I{PROTO}", *arguments, *files])


GO_MODULE = "module=github.com/intercomd/intercomd/clients/go"
GO = Language(
    name="go",
    programs=("go", "gofmt"),
    prepare=(
        ("go", "build", "-C", "tools", "-o", "../build/bin/", "tool"),
        ("go", "build", "-o", "build/conformance", "./internal/conformance"),
    ),
    checks=(
        ("sh", "-c", 'unformatted=$(gofmt -l .) && [ -z "$unformatted" ] || { echo "gofmt: $unformatted"; exit 1; }'),
        ("go", "mod", "verify"),
        ("go", "vet", "./..."),
        ("staticcheck", "./..."),
        ("go", "test", "-race", "./..."),
        ("go", "test", "-C", "internal/tracing", "./..."),
    ),
    plugins=("--go_out={output}", f"--go_opt={GO_MODULE}", "--go-grpc_out={output}", f"--go-grpc_opt={GO_MODULE}"),
    stubs="intercomd/v1",
    driver=("build/conformance",),
)
# npm writes the second file at the end of an installation. Without it, or with an older one, all is installed anew.
NPM_INSTALL = (
    "[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-fund --no-audit"
)
TYPESCRIPT = Language(
    name="typescript",
    programs=("node", "npm"),
    prepare=(("sh", "-c", NPM_INSTALL), ("npm", "run", "build")),
    checks=(
        ("npm", "run", "lint"),
        ("npm", "test"),
        ("npm", "run", "docs"),
        ("node", "scripts/check-package.cjs"),
    ),
    plugins=(
        "--plugin=protoc-gen-es=node_modules/.bin/protoc-gen-es",
        "--es_out={output}/src/gen",
        "--es_opt=target=ts,import_extension=js",
    ),
    stubs="src/gen",
    driver=("node", "dist/esm/conformance/driver.js"),
)
MAVEN = ("mvn", "--batch-mode", "--no-transfer-progress", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
WELL_KNOWN_TYPES = Path(sysconfig.get_path("purelib"), "grpc_tools", "_proto")  # which Maven's protoc lacks
JAVA_QUICK_START = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
JAVA_CLASSES = "build/test-classes:build/classes:$(cat build/driver.classpath)"
JAVA = Language(
    name="java",
    programs=("java", "javac", "mvn"),
    prepare=(
        (*MAVEN, "dependency:copy@generators", "test-compile", "dependency:build-classpath@driver"),
        ("chmod", "+x", "build/bin/protoc", "build/bin/protoc-gen-grpc-java"),
    ),
    checks=((*MAVEN, "verify"),),
    plugins=(
        f"-I{WELL_KNOWN_TYPES}",
        "--plugin=protoc-gen-grpc-java=build/bin/protoc-gen-grpc-java",
        "--java_out={stubs}",
        "--grpc-java_out=@generated=omit:{stubs}",
    ),
    stubs="src/generated/java",
    driver=("sh", "-c", f'exec java {JAVA_QUICK_START} -cp "{JAVA_CLASSES}" io.github.intercomd.conformance.Driver'),
    protoc=("build/bin/protoc",),
)
RUST_ALL = ("--locked", "--workspace", "--all-features")
RUST = Language(
    name="rust",
    programs=("cargo", "rustfmt", "cargo-clippy"),
    # The same packages and features as in the checks, so that each is compiled once.
    prepare=(
        ("cargo", "build", *RUST_ALL, "--all-targets"),
        (
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", "--include_imports"),
            *("--descriptor_set_out=build/contract.binpb", "intercomd/v1/ingest.proto"),
        ),
    ),
    checks=(
        ("cargo", "fmt", "--all", "--check"),
        ("cargo", "clippy", *RUST_ALL, "--all-targets", "--", "--deny", "warnings"),
        ("cargo", "test", *RUST_ALL),
        ("env", "RUSTDOCFLAGS=--deny warnings", "cargo", "doc", *RUST_ALL, "--no-deps"),
        ("cargo", "package", "--locked", "--package", "intercomd", "--allow-dirty", "--no-verify"),
    ),
    plugins=("--plugin=protoc-gen-tonic=build/debug/protoc-gen-tonic", "--tonic_out={stubs}"),
    stubs="src/generated",
    driver=("build/debug/intercomd-conformance",),
)
# It runs in browsers and calls no daemon, so it has neither stubs nor a driver.
WEB = Language(
    name="web",
    programs=("node", "npm", "chromium"),
    prepare=TYPESCRIPT.prepare,
    checks=(("npm", "run", "lint"), ("npm", "test"), ("npm", "run", "docs")),
)
OTHERS = (GO, TYPESCRIPT, JAVA, RUST)
"""All but Python, whose client `make test` checks."""
CHECKED = (*OTHERS, WEB)
"""What `make test-clients` checks."""
