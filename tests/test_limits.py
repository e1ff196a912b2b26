"""Everything is bounded: each limit is filled by a test, and whatever outlives a call is held by a limit."""

import ast
import dataclasses
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import intercomd
from bounds import BOUNDS
from documents import ROOT, section, tables
from intercomd import PublisherSettings
from intercomd_daemon import config
from intercomd_daemon.config.setting_keys import keys_of
from intercomd_daemon.connection import ConnectionSettings

DAEMON = ROOT / "daemon" / "intercomd_daemon"
CLIENT = Path(intercomd.__file__).parent
ARCHITECTURE = ROOT / "daemon" / "ARCHITECTURE.md"
# Commands end, settings are read once, and the sandbox keeps every call on purpose: it serves tests.
SHORT_LIVED = {"cli", "config", "sandbox", "v1"}
CONTAINERS = {"Queue", "TaskGroup", "WeakValueDictionary", "array", "bytearray", "deque", "dict", "list", "set"}


def limits() -> set[str]:
    """The limits of the code that the architecture lists, and those that can be set, in the daemon and the client."""
    listed = {row[2].strip("`| ") for row in tables(section(ARCHITECTURE, "## Limits"))[0]}
    settable = {*keys_of(config.Settings), *keys_of(ConnectionSettings)}
    publishing = {f"PublisherSettings.{each.name}" for each in dataclasses.fields(PublisherSettings)}
    return listed | {name for name in settable | publishing if name.endswith("_max")}


def marks() -> Iterator[str]:
    """The limits that tests say they fill."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for decorator in getattr(node, "decorator_list", ()):
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fills":
                    yield ast.literal_eval(decorator.args[0])


def test_every_limit_is_filled_by_a_test() -> None:
    """And nothing else is."""
    assert set(marks()) == limits()


def makes_a_container(value: ast.AST) -> bool:
    for node in ast.walk(value):
        if isinstance(node, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in CONTAINERS or any(keyword.arg == "default_factory" for keyword in node.keywords):
                return True
    return False


def containers_of(module: str, tree: ast.Module) -> Iterator[str]:
    """The fields that hold several things, and what remembers what it was called with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for each in ast.walk(node):
                if isinstance(each, ast.Assign | ast.AnnAssign) and each.value and makes_a_container(each.value):
                    target = each.targets[0] if isinstance(each, ast.Assign) else each.target
                    if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                        yield f"{module}.{node.name}.{target.attr}"
                    elif each in node.body:
                        yield f"{module}.{node.name}.{ast.unparse(target)}"
        if isinstance(node, ast.FunctionDef) and any("cache" in ast.unparse(each) for each in node.decorator_list):
            yield f"{module}.{node.name}"
        if isinstance(node, ast.Assign) and "lru_cache(" in ast.unparse(node.value):
            yield f"{module}.{ast.unparse(node.targets[0])}"


def containers() -> set[str]:
    found: set[str] = set()
    for package in (DAEMON, CLIENT):
        for path in sorted(package.rglob("*.py")):
            place = path.relative_to(package.parent).with_suffix("").parts
            if not SHORT_LIVED & set(place):
                found |= set(
                    containers_of(".".join(place).removeprefix("intercomd_daemon."), ast.parse(path.read_text()))
                )
    return found


def test_every_lasting_container_is_listed_with_its_bound() -> None:
    assert set(BOUNDS) == containers()


@pytest.mark.parametrize("container", BOUNDS)
def test_bound_is_a_limit_or_explains_why_none_is_needed(container: str) -> None:
    """A limit is named alone; anything else is a sentence."""
    bound = BOUNDS[container]
    assert bound in limits() or " " in bound


def test_limit_names_exist_in_the_code() -> None:
    for name in limits():
        module, _, constant = name.rpartition(".")
        if constant.isupper():
            assert getattr(importlib.import_module(f"intercomd_daemon.{module}"), constant) > 0
