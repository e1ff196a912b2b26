"""TLS of listeners: certificate, key and client CA from files, which are read again when they change.

Handshakes use the bytes that were read and checked last. So a half-written file, or a certificate that does not belong
to the key yet, never reaches a client: the previous ones stay in use, and `problem` says why.
"""

import secrets
import ssl
from concurrent.futures import ThreadPoolExecutor

import grpc

from intercomd_daemon.rpc.pem import load_authorities, load_pair
from intercomd_daemon.rpc.settings import TlsSettings
from intercomd_daemon.watched_file import FileUnusable, WatchedFile

FILE_BYTES_MAX = 1 << 20
"""Size of a PEM file; the bundle of all public authorities has a quarter of this."""
_Content = tuple[bytes, ...]
"""Certificate chain, key and, where clients need a certificate, their CA; empty before the first read."""


class ServerTls:
    """The certificate, key and client CA of one listener. `load` reads them; call it before anything else."""

    def __init__(self, settings: TlsSettings) -> None:
        """`settings` name a certificate and its key."""
        self._settings = settings
        paths = (settings.certificate_file, settings.key_file, settings.client_ca_file)
        self._files = [WatchedFile(path, FILE_BYTES_MAX) for path in paths if path]
        self._content: _Content = ()
        self._refused: _Content = ()
        self._context: ssl.SSLContext
        self.problem = ""
        """Why the current files are not in use, with the fix; empty if they are."""

    @property
    def verifies_clients(self) -> bool:
        """Whether clients need a certificate."""
        return bool(self._settings.client_ca_file)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files."""
        return tuple(file.path for file in self._files)

    @property
    def context(self) -> ssl.SSLContext:
        """The context for new connections; open connections keep theirs."""
        return self._context

    def load(self) -> None:
        """Reads the files.

        Raises:
            FileUnusable: a file is missing or invalid, or the key is not that of the certificate.
        """
        self.refresh()
        if self.problem:
            raise FileUnusable(self.problem)

    def refresh(self) -> bool:
        """Reads the files again if one has changed; returns whether new ones are in use."""
        if not any(file.changed() for file in self._files):
            return False
        content: _Content = ()
        try:
            content = self._read()
            if content == self._refused:
                return False
            if content != self._content:
                context = _context_of(self._settings)
                self._check_for_grpc(content)
                if self._read() != content:
                    return False  # Replaced meanwhile: the next call reads them again.
        except FileUnusable as error:
            self.problem, self._refused = str(error), content
            return False
        self.problem, self._refused = "", ()
        if content == self._content:
            return False
        self._content, self._context = content, context
        return True

    def adopt(self, other: "ServerTls") -> None:
        """Uses the files of another object that has been loaded, from the next handshake on."""
        # Also for the credentials of open ports, which fetch what this object holds.
        self.__dict__.update(other.__dict__)

    def _read(self) -> tuple[bytes, ...]:
        return tuple(file.read() for file in self._files)

    def _check_for_grpc(self, content: _Content) -> None:
        """Tries the files in gRPC, whose library of TLS knows fewer curves and kinds of PEM blocks than OpenSSL.

        An open port would report no error: it would go on with the old files until they expire.

        Raises:
            FileUnusable: gRPC cannot use them.
        """
        certificate, key = content[:2]
        client_ca = content[2] if self.verifies_clients else None
        credentials = grpc.ssl_server_credentials([(key, certificate)], client_ca, self.verifies_clients)
        if not can_serve(credentials, f"unix-abstract:{secrets.token_hex(16)}"):
            expected = "expected a key of RSA, P-256 or P-384, and certificates in blocks BEGIN CERTIFICATE"
            raise FileUnusable(f"gRPC cannot use {', '.join(self.paths)}: {expected}")

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Returns credentials for one address, which follow later changes of the files."""
        used = self._content

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            """Called by gRPC in each handshake, on a thread of its own; None: as in the last one."""
            nonlocal used
            current = self._content
            if current is used:
                return None
            used = current
            return _configuration(current)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(used),
            fetch,  # type: ignore[arg-type]  # None is documented, and missing in the stubs
            require_client_authentication=self.verifies_clients,
        )


def can_serve(credentials: grpc.ServerCredentials, address: str) -> bool:
    """Returns whether gRPC serves with these credentials, by trial servers on a Unix socket.

    Also true where a server without credentials fails as well: systems other than Linux have no abstract sockets.
    """
    return _starts(address, credentials) or not _starts(address, None)


def _starts(address: str, credentials: grpc.ServerCredentials | None) -> bool:
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    try:
        if credentials is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials)
        server.start()  # Only a server that was started closes its port.
    except RuntimeError:
        return False
    finally:
        server.stop(None).wait()
    return True


def _configuration(content: _Content) -> grpc.ServerCertificateConfiguration:
    certificate, key, *client_ca = content
    return grpc.ssl_server_certificate_configuration([(key, certificate)], *client_ca)


def _context_of(settings: TlsSettings) -> ssl.SSLContext:
    """Returns a context from the files as they are now.

    Raises:
        FileUnusable: a file is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, settings.certificate_file, settings.key_file)
    if settings.client_ca_file:
        load_authorities(context, settings.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
