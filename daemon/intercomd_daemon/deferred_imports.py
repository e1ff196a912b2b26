"""Skips what libraries load or read when they are imported although the daemon does not use it.

`__main__.py` calls `prepare` before the daemon is imported. tests/e2e/test_modules.py lists what a daemon has loaded.
"""

import ssl
import sys
from importlib import import_module
from types import ModuleType

UNUSED = (
    # Protobuf in pure Python. Generated code imports it beside the implementation in C: 0.8 MiB.
    "google.protobuf.internal.python_message",
    # The types of msgspec's structs, from which it makes JSON schemas: 0.2 MiB.
    "msgspec.inspect",
    # structlog's adapters of `logging` and its older contexts: 0.1 MiB.
    "structlog.stdlib",
    "structlog.threadlocal",
)


def prepare() -> None:
    """Defers the modules above, and imports aiohttp without certificates."""
    for name in UNUSED:
        defer(name)
    import_aiohttp()


def defer(name: str) -> None:
    """Registers a stand-in for a module that is not loaded yet; the first read of an attribute loads the module."""
    if name in sys.modules:
        return
    stand_in = ModuleType(name)

    def load(attribute: str) -> object:
        if attribute.startswith("__"):  # The import system and `inspect` read these of every module.
            raise AttributeError(attribute)
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(import_module(name), attribute)

    stand_in.__dict__["__getattr__"] = load  # PEP 562: called for attributes that the module does not have.
    sys.modules[name] = stand_in


def import_aiohttp() -> None:
    """Imports aiohttp without reading the system's certificates: 1 MiB, and a tenth of a start.

    aiohttp reads them for connections without a TLS context of their own. The daemon's calls over https have one, from
    `deliver/intercom/client.py`. Any other connection would trust no server.
    """
    read = ssl.SSLContext.load_default_certs
    ssl.SSLContext.load_default_certs = lambda *_: None  # type: ignore[method-assign]
    try:
        import aiohttp  # noqa: F401, PLC0415
    finally:
        ssl.SSLContext.load_default_certs = read  # type: ignore[method-assign]
