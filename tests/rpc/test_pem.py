"""PEM files that cannot be loaded are named with the fix; the files of listeners are tested in `test_tls.py`."""

import codecs
import ssl
from pathlib import Path

import pytest

from intercomd_daemon.rpc.pem import load_authorities, load_pair
from intercomd_daemon.watched_file import FileUnusable
from tls.certificates import Files, pair


@pytest.fixture
def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_certificate_is_loaded_with_its_key_alone(tmp_path: Path, context: ssl.SSLContext) -> None:
    files = Files(tmp_path)
    load_pair(context, str(files.certificate), str(files.key))
    files.key.write_bytes(pair(files.ca, "127.0.0.1")[1])
    with pytest.raises(FileUnusable, match=r"key\.pem is not the key of .*certificate\.pem: replace both files"):
        load_pair(context, str(files.certificate), str(files.key))
    files.key.write_bytes(b"no key")
    with pytest.raises(FileUnusable, match="expected a certificate and its private key in PEM"):
        load_pair(context, str(files.certificate), str(files.key))
    files.key.unlink()
    with pytest.raises(FileUnusable, match="No such file or directory"):
        load_pair(context, str(files.certificate), str(files.key))


def test_authorities_are_certificates(tmp_path: Path, context: ssl.SSLContext) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(Files(tmp_path).ca.cert_pem.bytes())
    load_authorities(context, str(path))
    assert len(context.get_ca_certs()) == 1
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    with pytest.raises(FileUnusable, match=r"ca\.pem begins with a byte order mark \(BOM\)"):
        load_authorities(context, str(path))
    for content in (b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n"):
        path.write_bytes(content)
        with pytest.raises(FileUnusable, match=r"ca\.pem cannot be used .*: expected certificates in PEM"):
            load_authorities(context, str(path))
