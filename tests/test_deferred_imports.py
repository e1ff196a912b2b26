"""A deferred module is loaded when it is used, and behaves as if it had been imported."""

import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

PROGRAM = """
import sys
from intercomd_daemon.deferred_imports import defer
sys.path.insert(0, {folder!r})
defer("shop.stock")
{use}
print(sys.modules["shop.stock"].__spec__ is not None)
"""


@pytest.mark.parametrize(
    ("use", "loaded"),
    [
        ("import shop", False),
        ("import shop; from shop import stock", False),
        ("import shop, inspect; inspect.getmodule(str)", False),
        ("import shop; assert shop.items() == 3", True),
        ("import shop; assert (shop.items(), shop.items()) == (3, 3)", True),
        ("from shop.stock import ITEMS; assert ITEMS == 3", True),
        ("import shop.stock; assert shop.stock.ITEMS == 3", True),
    ],
)
def test_deferred_module_is_loaded_when_an_attribute_is_read(tmp_path: Path, use: str, loaded: bool) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("from shop import stock\ndef items(): return stock.ITEMS\n")
    (package / "stock.py").write_text("ITEMS = 3\n")
    program = PROGRAM.format(folder=str(tmp_path), use=use)
    assert subprocess.check_output([sys.executable, "-c", program], text=True).split() == [str(loaded)]  # noqa: S603


def test_module_that_is_loaded_stays() -> None:
    program = "import json; from intercomd_daemon.deferred_imports import defer; defer('json'); print(json.dumps(1))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "1\n"  # noqa: S603


def test_aiohttp_is_imported_without_certificates_and_trusts_no_server() -> None:
    program = """
import os, ssl, sys
from intercomd_daemon.deferred_imports import import_aiohttp
import_aiohttp()
import trustme
trustme.CA().cert_pem.write_to_path(sys.argv[1])
os.environ["SSL_CERT_FILE"] = sys.argv[1]
for context in (sys.modules["aiohttp.connector"]._SSL_CONTEXT_VERIFIED, ssl.create_default_context()):
    print(context.verify_mode.name, context.cert_store_stats()["x509"] > 0)
"""
    with NamedTemporaryFile(suffix=".pem") as file:
        lines = subprocess.check_output([sys.executable, "-c", program, file.name], text=True).splitlines()  # noqa: S603
    assert lines == ["CERT_REQUIRED False", "CERT_REQUIRED True"]


def test_protobuf_in_pure_python_still_works() -> None:
    """Where protobuf's C library is missing, generated code uses the module that is deferred."""
    program = (
        "import os; os.environ['PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION'] = 'python'\n"
        "from intercomd_daemon.deferred_imports import UNUSED, defer; [defer(name) for name in UNUSED]\n"
        "from google.protobuf.timestamp_pb2 import Timestamp\n"
        "print(Timestamp.FromString(Timestamp(seconds=7).SerializeToString()).seconds)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "7\n"  # noqa: S603
