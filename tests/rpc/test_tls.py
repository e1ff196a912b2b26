"""TLS files: what is refused, what is kept, and what connections see."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from intercomd_daemon.rpc.tls import FILE_BYTES_MAX, ServerTls
from intercomd_daemon.watched_file import FileUnusable
from tls.certificates import Files, pair


def loaded(files: Files) -> ServerTls:
    tls = ServerTls(files.settings)
    tls.load()
    return tls


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


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
        assert message in tls.problem
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
