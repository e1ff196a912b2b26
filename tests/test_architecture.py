"""The architecture, as tests: what is pure, how large things may grow, and that every module has its test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "daemon" / "intercomd_daemon"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Modules that may await, read clocks and do I/O; every other one is pure. A folder means all modules in it.
IMPURE = (
    "__main__.py",
    "app",
    "cli",
    "config",
    "deferred_imports.py",
    "deliver/intercom/client.py",
    "deliver/intercom/access_token.py",
    "deliver/intercom/call_protocol.py",
    "deliver/intercom/connection_pool.py",
    "deliver/intercom/time_limit.py",
    "deliver/schedule/access_probe.py",
    "deliver/schedule/attribute_sync.py",
    "deliver/schedule/paced_client.py",
    "deliver/schedule/clock.py",
    "deliver/schedule/connection_monitor.py",
    "deliver/schedule/lane_loader.py",
    "deliver/give_up.py",
    "deliver/commit_batcher.py",
    "deliver/worker.py",
    "forward/gateway.py",
    "forward/worker.py",
    "ingest/accept.py",
    "ingest/coalescing.py",
    "ingest/service.py",
    "ingest/stream.py",
    "operations",
    "rpc/authentication.py",
    "rpc/handlers.py",
    "rpc/refused_call.py",
    "rpc/tracing.py",
    "rpc/pem.py",
    "rpc/tls.py",
    "rpc/token_file.py",
    "sandbox",
    "signal_handlers.py",
    "spool/base.py",
    "spool/engines.py",
    "spool/fleet.py",
    "spool/local.py",
    "spool/memory",
    "spool/postgresql",
    "spool/sqlite",
    "telemetry",
    "unix_socket.py",
    "watched_file.py",
)
IMPURE_IMPORTS = frozenset(
    {
        "aiohttp",
        "asyncio",
        "asyncpg",
        "grpc",
        "os",
        "pathlib",
        "queue",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
    }
    | {"socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uuid"}
)
LINES_MAX = 450
TABLES = {"reasons.py"}  # looked up, not read from top to bottom
FUNCTION_LINES_MAX = 60
CLASS_LINES_MAX = 400


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def is_pure(path: Path) -> bool:
    name = relative(path)
    return not any(name == impure or name.startswith(impure + "/") for impure in IMPURE)


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def awaiting(tree: ast.Module) -> Iterator[ast.AST]:
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return (node for node in ast.walk(tree) if isinstance(node, kinds))


def definitions(path: Path, kinds: tuple[type[ast.AST], ...]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, kinds):
            yield f"{path.name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_pure_modules_are_found() -> None:
    """Guards the tests below against an empty list."""
    assert len([path for path in MODULES if is_pure(path)]) > 30


@pytest.mark.parametrize("path", [path for path in MODULES if is_pure(path)], ids=relative)
def test_pure_module_has_no_await_clock_randomness_or_io(path: Path) -> None:
    tree = ast.parse(path.read_text())
    touched = sorted(name for name in imports(tree) if name in IMPURE_IMPORTS or name.split(".")[0] in IMPURE_IMPORTS)
    assert not touched
    assert not [ast.unparse(node)[:80] for node in awaiting(tree)]
    assert not [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in {"open", "print", "input"}
    ]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_stays_within_the_size_limits(path: Path) -> None:
    assert relative(path) in TABLES or len(path.read_text().splitlines()) <= LINES_MAX
    functions = definitions(path, (ast.FunctionDef, ast.AsyncFunctionDef))
    assert not [name for name, lines in functions if lines > FUNCTION_LINES_MAX]
    assert not [name for name, lines in definitions(path, (ast.ClassDef,)) if lines > CLASS_LINES_MAX]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_has_a_docstring(path: Path) -> None:
    law = ast.get_docstring(ast.parse(path.read_text()))
    assert law
    assert len(law.splitlines()) <= 10


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.name not in {"__init__.py", "__main__.py", "settings.py"}], ids=relative
)
def test_module_has_its_test(path: Path) -> None:
    """`spool/record.py` is tested by `tests/spool/test_record.py`, or by a theme of it, `test_record_….py`.

    The settings of all parts are tested as a whole, beside the contract's text: `tests/config/test_settings.py`.
    """
    folder = ROOT / "tests" / path.relative_to(PACKAGE).parent
    assert list(folder.glob(f"test_{path.stem}.py")) + list(folder.glob(f"test_{path.stem}_*.py"))


TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tests_use_the_real_thing(path: Path) -> None:
    """No mock, no sleep, no skip: what a test shows is what the daemon does."""
    tree = ast.parse(path.read_text())
    assert not [name for name in imports(tree) if "mock" in name]
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [name for name in calls if name.endswith((".sleep", "pytest.skip", "monkeypatch.setattr"))]
    marks = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert not [name for name in marks if name in {"pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}]
