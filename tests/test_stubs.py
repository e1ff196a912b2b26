"""The contract needs no other files, and the committed stubs are generated from it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "proto"
CLIENT = ROOT / "clients" / "python"
BUF = Path(sys.executable).parent / "buf"


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 - our own tools


def package_files(top: Path) -> dict[str, str]:
    package = top / "intercomd" / "v1"
    return {path.name: path.read_text(encoding="utf-8") for path in package.iterdir() if path.is_file()}


def test_committed_stubs_are_those_of_the_contract(tmp_path: Path) -> None:
    generated = run(sys.executable, CLIENT / "generate.py", tmp_path)
    assert generated.returncode == 0, generated.stderr
    expected, committed = package_files(tmp_path), package_files(CLIENT)
    assert sorted(committed) == sorted(expected)
    stale = [name for name, text in expected.items() if committed[name] != text]
    assert stale == [], "run clients/python/generate.py"


def test_client_requires_the_libraries_of_its_stubs() -> None:
    stubs = package_files(CLIENT)
    protobuf = re.search(r"# Protobuf Python Version: (\S+)", stubs["ingest_pb2.py"])
    grpc = re.search(r"GRPC_GENERATED_VERSION = '(\S+)'", stubs["ingest_pb2_grpc.py"])
    assert protobuf
    assert grpc
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == [f"grpcio>={grpc[1]},<2", f"protobuf>={protobuf[1]},<8"]


@pytest.fixture
def described(tmp_path: Path) -> FileDescriptorSet:
    """The contract as protoc understands it with `-I proto` alone, called from an empty directory."""
    files = sorted(path.relative_to(PROTO) for path in PROTO.rglob("*.proto"))
    compiled = run(
        *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", "--include_imports"),
        *("--descriptor_set_out=contract.bin", *files),
        cwd=tmp_path,
    )
    assert compiled.returncode == 0, compiled.stderr
    return FileDescriptorSet.FromString((tmp_path / "contract.bin").read_bytes())


def test_contract_needs_nothing_but_itself_and_the_well_known_types(described: FileDescriptorSet) -> None:
    names = [file.name for file in described.file]
    assert "intercomd/v1/ingest.proto" in names
    assert [name for name in names if not name.startswith(("intercomd/v1/", "google/protobuf/"))] == []


def test_every_file_names_the_packages_of_the_other_languages(described: FileDescriptorSet) -> None:
    for file in described.file:
        if file.name.startswith("intercomd/"):
            assert file.package == "intercomd.v1"
            assert file.options.go_package == "github.com/intercomd/intercomd/clients/go/intercomd/v1;intercomdv1"
            assert file.options.java_package == "io.github.intercomd.v1"
            assert file.options.java_multiple_files
            assert file.options.csharp_namespace == "Intercomd.V1"


def test_contract_passes_lint_and_formatting() -> None:
    linted = run(BUF, "lint", PROTO)
    assert linted.returncode == 0, linted.stdout
    formatted = run(BUF, "format", "--diff", "--exit-code", PROTO)
    assert formatted.returncode == 0, formatted.stdout


def test_removed_field_is_a_breaking_change(tmp_path: Path) -> None:
    changed = Path(shutil.copytree(PROTO, tmp_path / "proto"))
    identity = changed / "intercomd" / "v1" / "identity.proto"
    identity.write_text(identity.read_text(encoding="utf-8").replace("string email = 2;", ""), encoding="utf-8")
    assert run(BUF, "breaking", PROTO, "--against", PROTO).returncode == 0
    broken = run(BUF, "breaking", changed, "--against", PROTO)
    assert broken.returncode != 0
    assert "email" in broken.stdout
