"""Creates authorities and certificates as PEM files, and gRPC and HTTP clients that use them."""

import ssl
from pathlib import Path
from typing import NamedTuple

import grpc
import trustme

from intercomd_daemon.rpc.settings import TlsSettings


class Client(NamedTuple):
    """A client certificate, or none, and the authority that the client trusts."""

    ca: bytes
    certificate: bytes = b""
    key: bytes = b""

    @property
    def grpc(self) -> grpc.ChannelCredentials:
        """Credentials of a gRPC channel."""
        return grpc.ssl_channel_credentials(self.ca, self.key or None, self.certificate or None)


class Files:
    """The files of a listener with TLS."""

    def __init__(self, folder: Path, ca: trustme.CA | None = None) -> None:
        """Without `ca` a new authority is created."""
        self.ca = ca or trustme.CA()
        self._folder = folder
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self.client_ca = folder / "client-ca.pem"
        self.write_pair()

    def write_pair(self, ca: trustme.CA | None = None) -> None:
        """Writes a new certificate and its key."""
        certificate, key = pair(ca or self.ca, "127.0.0.1", "localhost")
        self.certificate.write_bytes(certificate)
        self.key.write_bytes(key)

    def write_client_ca(self, *authorities: trustme.CA) -> None:
        """Writes the authorities of client certificates."""
        self.client_ca.write_bytes(b"".join(ca.cert_pem.bytes() for ca in authorities))

    @property
    def settings(self) -> TlsSettings:
        """The settings that name the files; the client CA only if it has been written."""
        client_ca = str(self.client_ca) if self.client_ca.exists() else ""
        return TlsSettings(certificate_file=str(self.certificate), key_file=str(self.key), client_ca_file=client_ca)

    @property
    def table(self) -> dict[str, str]:
        """The settings as a table of a settings file."""
        tls = self.settings
        return {
            "certificate_file": tls.certificate_file,
            "key_file": tls.key_file,
            "client_ca_file": tls.client_ca_file,
        }

    def client(self, of: trustme.CA | None = None, *names: str) -> Client:
        """A client that trusts the listener, with a certificate of the authority `of` for these names."""
        certificate, key = pair(of, *(names or ("client.example",))) if of else (b"", b"")
        return Client(self.ca.cert_pem.bytes(), certificate, key)


def pair(ca: trustme.CA, *names: str) -> tuple[bytes, bytes]:
    """Returns a certificate chain and its key in PEM."""
    issued = ca.issue_cert(*names)
    return b"".join(pem.bytes() for pem in issued.cert_chain_pems), issued.private_key_pem.bytes()


def ssl_context(client: Client, folder: Path) -> ssl.SSLContext:
    """Returns the context of an HTTP client; `folder` is for its files."""
    context = ssl.create_default_context(cadata=client.ca.decode())
    if client.certificate:
        (folder / "client.pem").write_bytes(client.certificate + client.key)
        context.load_cert_chain(folder / "client.pem")
    return context
