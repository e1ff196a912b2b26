"""TLS files: what is refused, what is kept, and what connections see."""

import codecs
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from intercomd_daemon.rpc.tls import FILE_BYTES_MAX, ServerTls, can_serve
from intercomd_daemon.watched_file import FileUnusable
from tls.certificates import Files, pair


def loaded(files: Files) -> ServerTls:
    tls = ServerTls(files.settings)
    tls.load()
    return tls


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def mark(path: Path) -> None:
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())


def replace(path: Path, one: bytes, other: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(one, other))


def write_self_signed(files: Files, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "daemon")]), datetime.now(UTC)
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    certificate = certificate.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(hours=1))
    files.certificate.write_bytes(certificate.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def revocation_list(ca: trustme.CA) -> bytes:
    issuer, now = x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject, datetime.now(UTC)
    revoked = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(now)
    key = load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return revoked.next_update(now + timedelta(hours=1)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


ENCRYPTED_KEY = b"""-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBAAAAAAAAAAAAAAAAAA
-----END ENCRYPTED PRIVATE KEY-----
"""

BREAKS: dict[str, tuple[Callable[[Files], object], str]] = {
    "half-written certificate": (lambda files: truncate(files.certificate), "cannot be used"),
    "half-written key": (lambda files: truncate(files.key), "cannot be used"),
    "half-written client CA": (lambda files: truncate(files.client_ca), "client-ca.pem cannot be used"),
    "certificate without its key yet": (
        lambda files: files.certificate.write_bytes(pair(files.ca, "127.0.0.1")[0]),
        "is not the key of",
    ),
    "key without its certificate yet": (
        lambda files: files.key.write_bytes(pair(files.ca, "127.0.0.1")[1]),
        "is not the key of",
    ),
    "swapped files": (lambda files: files.key.write_bytes(files.certificate.read_bytes()), "cannot be used"),
    "key with a passphrase": (lambda files: files.key.write_bytes(ENCRYPTED_KEY), "without a passphrase"),
    "no PEM": (lambda files: files.certificate.write_bytes(b"certificate"), "cannot be used"),
    "certificate with a byte order mark": (lambda files: mark(files.certificate), "begins with a byte order mark"),
    "key with a byte order mark": (lambda files: mark(files.key), "begins with a byte order mark"),
    "client CA with a byte order mark": (lambda files: mark(files.client_ca), "begins with a byte order mark"),
    "key of a curve that gRPC lacks": (lambda files: write_self_signed(files, ec.SECP256K1()), "gRPC cannot use"),
    "key of another such curve": (lambda files: write_self_signed(files, ec.BrainpoolP256R1()), "gRPC cannot use"),
    "trusted certificate": (
        lambda files: replace(files.certificate, b" CERTIFICATE", b" TRUSTED CERTIFICATE"),
        "gRPC cannot use",
    ),
    "client CA without certificates but a revocation list": (
        lambda files: files.client_ca.write_bytes(revocation_list(trustme.CA())),
        "gRPC cannot use .*client-ca.pem: expected a key of RSA, P-256 or P-384",
    ),
    "missing key": (lambda files: files.key.unlink(), "No such file or directory"),
    "empty client CA": (lambda files: files.client_ca.write_bytes(b""), "client-ca.pem is empty"),
    "client CA without certificates": (lambda files: files.client_ca.write_bytes(b"none"), "cannot be used"),
    "folder in place of a certificate": (
        lambda files: (files.certificate.unlink(), files.certificate.mkdir()),
        "is not a regular file",
    ),
}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.write_client_ca(trustme.CA())
    return made


@pytest.mark.parametrize("name", BREAKS)
def test_unusable_files_prevent_the_start(files: Files, name: str) -> None:
    damage, message = BREAKS[name]
    damage(files)
    with pytest.raises(FileUnusable, match=message):
        loaded(files)


@pytest.mark.parametrize("name", BREAKS)
def test_unusable_files_keep_the_previous_ones_in_use(files: Files, name: str) -> None:
    tls = loaded(files)
    context, saved = tls.context, [path.read_bytes() for path in (files.certificate, files.key, files.client_ca)]
    damage, message = BREAKS[name]
    damage(files)
    for _ in range(2):
        assert not tls.refresh()
        assert re.search(message, tls.problem)
        assert tls.context is context
    if files.certificate.is_dir():
        files.certificate.rmdir()
    for path, content in zip((files.certificate, files.key, files.client_ca), saved, strict=True):
        path.write_bytes(content)
    assert not tls.refresh()
    assert tls.problem == ""
    files.write_pair()
    assert tls.refresh()
    assert tls.context is not context


@pytest.mark.parametrize("address", ["unix:{folder}/socket", "unix:{folder}/missing/socket", "unix:{folder}"])
@pytest.mark.parametrize("sound", [True, False])
def test_only_files_that_fail_where_a_server_starts_are_refused(
    files: Files, tmp_path: Path, address: str, sound: bool
) -> None:
    """A system may lack the kind of address on which they are tried."""
    if not sound:
        write_self_signed(files, ec.SECP256K1())
    credentials = grpc.ssl_server_credentials([(files.key.read_bytes(), files.certificate.read_bytes())])
    can_listen = address.endswith("}/socket")
    assert can_serve(credentials, address.format(folder=tmp_path)) is (sound or not can_listen)


def test_problem_names_no_content_of_the_key(files: Files) -> None:
    tls = loaded(files)
    key = files.key.read_text()
    truncate(files.key)
    tls.refresh()
    assert not [line for line in key.splitlines()[1:-1] if line in tls.problem]


def test_unchanged_content_is_not_loaded_again(files: Files) -> None:
    """A tool may write the same files again."""
    tls = loaded(files)
    context = tls.context
    files.certificate.write_bytes(files.certificate.read_bytes())
    assert not tls.refresh()
    assert tls.context is context


@pytest.mark.fills("rpc.tls.FILE_BYTES_MAX")
def test_file_over_the_limit_is_refused(files: Files) -> None:
    certificate = files.certificate.read_bytes()
    files.certificate.write_bytes(certificate + b"\n" * (FILE_BYTES_MAX - len(certificate)))
    loaded(files)
    files.certificate.write_bytes(certificate + b"\n" * (FILE_BYTES_MAX - len(certificate) + 1))
    with pytest.raises(FileUnusable, match="is larger than 1048576 bytes"):
        loaded(files)
