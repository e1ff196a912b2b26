"""The settings of listeners that ingest and operations share: `[ingest.tls]` and `[operations.tls]`."""

from typing import Annotated

import msgspec

from intercomd_daemon.setting import kinds

_PATH_CHARACTERS_MAX = 4096


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """TLS of the TCP addresses of a listener. The files hold PEM and are read again when they change."""

    certificate_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """The certificate, then those of intermediate authorities; empty: no TLS."""
    key_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """The private key of the certificate, without a passphrase."""
    client_ca_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """Authorities of client certificates; if set, clients need a certificate of one of them."""

    @property
    def on(self) -> bool:
        """Whether the listener uses TLS."""
        return bool(self.certificate_file)
