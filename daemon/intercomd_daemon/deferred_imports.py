"""Defers modules that libraries import and a daemon does not use, until an attribute of theirs is read.

`__main__.py` calls this before the daemon is imported. By tests/e2e/test_modules.py a daemon at work loads none.
"""

import sys
from importlib import import_module
from types import ModuleType

UNUSED = (
    # Protobuf in pure Python. Generated code imports it beside the implementation in C: 0.8 MiB.
    "google.protobuf.internal.python_message",
    # structlog's adapters of `logging` and its older contexts: 0.1 MiB.
    "structlog.stdlib",
    "structlog.threadlocal",
)


def defer(name: str) -> None:
    """Has imports of a module that is not loaded return a stand-in, which loads the module when it is used."""
    if name in sys.modules:
        return
    stand_in = ModuleType(name)

    def load(attribute: str) -> object:
        if attribute.startswith("__"):  # Reads of any module, such as the import system's and those of `inspect`.
            raise AttributeError(attribute)
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(import_module(name), attribute)

    stand_in.__dict__["__getattr__"] = load  # PEP 562: called for attributes that the module does not have.
    sys.modules[name] = stand_in
