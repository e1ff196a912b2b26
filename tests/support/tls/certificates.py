"""Creates authorities and certificates as PEM files, and gRPC and HTTP clients that use them."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import grpc
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

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


def uri_client(ca: trustme.CA, trusted: bytes, *uris: str) -> Client:
    """Returns a client with a certificate that has URIs as names, as SPIFFE has; trustme makes none."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "workload")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris]), critical=False
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
    )
    authority = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    signed = certificate.sign(authority, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Client(trusted, signed.public_bytes(serialization.Encoding.PEM), private)


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
