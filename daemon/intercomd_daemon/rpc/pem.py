"""Loads PEM files into a context of TLS, with errors that name the file and the fix."""

import codecs
import ssl
from pathlib import Path

from intercomd_daemon.watched_file import FileUnusable


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Loads a certificate and its private key.

    Raises:
        FileUnusable: a file is not what it should be, or the key is not that of the certificate.
    """
    try:
        _refuse_byte_order_mark(certificate, key)
        # A passphrase is never asked for: nobody sits at the daemon's terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if "mismatch" in _reason(error):
            raise FileUnusable(f"{key} is not the key of {certificate}: replace both files") from error
        expected = "expected a certificate and its private key in PEM, the key without a passphrase"
        raise FileUnusable(f"{certificate} and {key} cannot be used ({_reason(error)}): {expected}") from error
    except OSError as error:
        raise FileUnusable(f"{certificate} or {key}: {error.strerror}") from error


def load_authorities(context: ssl.SSLContext, path: str) -> None:
    """Loads certificates of authorities.

    Raises:
        FileUnusable: the file holds none.
    """
    try:
        _refuse_byte_order_mark(path)
        context.load_verify_locations(path)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be used ({_reason(error)}): expected certificates in PEM") from error


def _refuse_byte_order_mark(*paths: str) -> None:
    """OpenSSL skips the mark; the library of gRPC then finds no certificate."""
    for path in paths:
        with Path(path).open("rb") as file:
            if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
                raise FileUnusable(f"{path} begins with a byte order mark (BOM): save it as UTF-8 without one")


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return str(reason).replace("_", " ").lower()
