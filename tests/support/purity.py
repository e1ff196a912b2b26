"""Finds the pure modules of the daemon, as `tests/test_architecture.py` lists them, and the tests named after them."""

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).resolve().parents[1]
ARCHITECTURE = TESTS / "test_architecture.py"


@cache
def _architecture() -> ModuleType:
    spec = spec_from_file_location("architecture", ARCHITECTURE)
    if spec is None or spec.loader is None:
        raise ImportError
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def impure_modules() -> list[Path]:
    """The files of the modules that are not pure."""
    architecture = _architecture()
    return [path for path in architecture.MODULES if not architecture.is_pure(path)]


@cache
def is_pure_test(path: Path) -> bool:
    """Whether a test file is named after a pure module, or is the test of the architecture.

    `tests/deliver/test_pace.py` and `tests/deliver/test_pace_limits.py` are named after `deliver/pace.py`. Of several
    modules that fit, the longest name counts: `test_decode_events.py` is the test of `decode_events.py`, not of
    `decode.py`.
    """
    if path == ARCHITECTURE:
        return True
    architecture = _architecture()
    subject = path.stem.removeprefix("test_")
    folder = architecture.PACKAGE / path.relative_to(TESTS).parent
    named = [module for module in folder.glob("*.py") if f"{subject}_".startswith(f"{module.stem}_")]
    return bool(named) and architecture.is_pure(max(named, key=lambda module: len(module.stem)))
