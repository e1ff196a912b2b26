"""TLS, the token and the channel options of a publisher. Files are read again before calls."""

import logging
import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from intercomd.proxies import is_local, proxy_options
from intercomd.settings import PublisherSettings
from intercomd.target import check_target

Metadata = Sequence[tuple[str, str]]
Content = TypeVar("Content")
PemFiles = tuple[bytes | None, bytes | None, bytes | None]  # the authorities, the key and the certificate
FilePath = str | os.PathLike[str]

logger = logging.getLogger("intercomd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS to the daemon, from PEM files. They are read again before each call, so that they may be replaced.

    Attributes:
        ca_file: the authorities that the daemon's certificate is checked against; None: those of the system.
        cert_file: the client's certificate chain, for daemons that request one; needs `key_file`.
        key_file: the private key of `cert_file`.
        server_name: the name that the daemon's certificate has, if the target has another one.
    """

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: set both or neither")


class Access:
    """The target of a publisher and the proof of who calls.

    Raises:
        ValueError: an argument can never work; the message names it.
    """

    def __init__(
        self,
        target: str,
        settings: PublisherSettings,
        *,
        credentials: grpc.ChannelCredentials | None,
        tls: Tls | bool | None,
        token: str | None,
        token_file: FilePath | None,
        metadata: Metadata,
    ) -> None:
        check_target(target)
        if credentials is not None and tls:
            raise ValueError("credentials and tls exclude each other: set one of them")
        if token is not None and token_file is not None:
            raise ValueError("token and token_file exclude each other: set one of them")
        self.target = target
        self._settings = settings
        self._credentials = credentials
        self._tls = (Tls() if tls is True else tls) or None
        self._token = None if token is None else _checked_token(token, "token")
        self._token_file = token_file
        self._metadata = tuple(metadata)
        self._warned: set[str] = set()
        self._pem: PemFiles | None = None
        if token_file is not None:
            self._token = read_token(token_file)
        self._pem = self._read_pem() if self._tls else None
        if self._token is not None and credentials is None and not self._tls and not is_local(target):
            logger.warning("The token travels to %s in plain text: set `tls`", target)

    @property
    def is_plain(self) -> bool:
        """Whether calls are in plain text."""
        return self._credentials is None and self._tls is None

    def metadata(self) -> Metadata:
        """Returns the metadata of the next call. Reads the token file again; if that fails, its last token stays."""
        if self._token_file is not None:
            self._token = self._read_again("token_file", lambda: read_token(self._token_file or ""), self._token)
        if self._token is None:
            return self._metadata
        return (*self._metadata, ("authorization", f"Bearer {self._token}"))

    def tls_changed(self) -> bool:
        """Reads the TLS files again; returns whether they changed, so that a new channel is needed."""
        if self._tls is None:
            return False
        previous = self._pem
        self._pem = self._read_again("tls", self._read_pem, previous)
        return self._pem != previous

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Returns the credentials of a new channel; None: plain text."""
        if self._pem is None:
            return self._credentials
        ca, key, cert = self._pem
        return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)

    def channel_options(self) -> list[tuple[str, int | str]]:
        """Returns the options of a channel that leaves retries and reconnecting to the publisher."""
        server_name = self._tls.server_name if self._tls else None
        return [
            *([("grpc.ssl_target_name_override", server_name)] if server_name else []),
            ("grpc.enable_retries", 0),
            # A service configuration from DNS could turn retries, time-outs or waiting on again.
            ("grpc.service_config_disable_resolution", 1),
            # gRPC's own pause between connection attempts grows to two minutes, longer than ours.
            ("grpc.max_reconnect_backoff_ms", max(1000, int(self._settings.backoff_seconds_max * 1000))),
            # Keepalive finds a dead connection within a call. The kernel would take a quarter of an hour.
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            # Connections that a forked child inherits belong to the parent: no channel may share them.
            ("grpc.use_local_subchannel_pool", 1),
            *proxy_options(self.target),
        ]

    def _read_pem(self) -> PemFiles:
        """Reads the TLS files. If they changed, checks that they make credentials: a half-replaced pair is an error."""
        tls = self._tls or Tls()
        files = (
            _read_file("tls.ca_file", tls.ca_file),
            _read_file("tls.key_file", tls.key_file),
            _read_file("tls.cert_file", tls.cert_file),
        )
        if files != self._pem:
            _check_pem(tls)
        return files

    def _read_again(self, name: str, read: Callable[[], Content], last: Content) -> Content:
        """Returns what `read` returns; if it fails, as during a replacement of the file, `last`. Warns once."""
        try:
            content = read()
        except ValueError as error:
            if name not in self._warned:
                self._warned.add(name)
                logger.warning("Using the last good %s: %s", name, error)
            return last
        self._warned.discard(name)
        return content


def _check_pem(tls: Tls) -> None:
    """Raises ValueError if the files are no PEM files or no pair. gRPC would only fail each call."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # which keys are long enough is decided by gRPC
    try:
        if tls.ca_file is not None:
            context.load_verify_locations(tls.ca_file)
    except ssl.SSLError as error:
        raise ValueError(
            f"tls.ca_file {os.fspath(tls.ca_file or '')} holds no certificate in PEM form: {error}"
        ) from error
    try:
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")  # without one, it would prompt for it
    except ssl.SSLError as error:
        pair = f"tls.cert_file {os.fspath(tls.cert_file or '')} and tls.key_file {os.fspath(tls.key_file or '')}"
        raise ValueError(f"{pair} are no certificate and its key without a password, in PEM form: {error}") from error


def read_token(path: FilePath) -> str:
    """Returns the token in a file: one line, with or without its end and a byte order mark."""
    content = _read_file("token_file", path) or b""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"token_file {os.fspath(path)} is not UTF-8 text") from error
    return _checked_token(text.strip(), f"token_file {os.fspath(path)}")


def _checked_token(token: object, name: str) -> str:
    if not isinstance(token, str):
        raise TypeError(f"{name} must be a str, not {type(token).__name__}")
    if not token:
        raise ValueError(f"{name} is empty")
    # The value of a header: RFC 9110, 5.5. A message that quoted it would leak it.
    if not all("!" <= character <= "~" for character in token):
        raise ValueError(f"{name} must be one line of printable ASCII characters without spaces")
    return token


def _read_file(name: str, path: FilePath | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{name} {os.fspath(path)} cannot be read: {error.strerror}") from error
    if not content:
        raise ValueError(f"{name} {os.fspath(path)} is empty")
    return content
