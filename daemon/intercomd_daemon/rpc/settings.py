"""The settings that ingest and operations share: `[ingest.tls]`, `[operations.tls]` and `[callers.<name>]`."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from intercomd_daemon.connection import NAME
from intercomd_daemon.setting import kinds

LEVELS: Final = ("none", "status", "read", "write")
"""What a caller may do on the operations listeners, each level including those before it."""
_PATH_CHARACTERS_MAX = 4096
_HASH = "[0-9A-Fa-f]{64}"
# RFC 3986, 2: a URI has unreserved, reserved and percent-encoded characters; of these only "*" has a meaning here.
_CERTIFICATE_NAME = r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&'()+;=%*-]+|[A-Za-z0-9._*-]+"
_PER_SECOND_MAX = 1 << 40


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


class CallerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One caller: how it is recognised, and what it may do."""

    name: str
    """The table's name below `callers.`; not a setting itself."""
    token_sha256: Annotated[
        tuple[str, ...],
        kinds.texts(
            "SHA-256 hashes of tokens, 64 hexadecimal digits each, as `intercomd token` prints them",
            _HASH,
            lower=True,
            hidden=True,
        ),
    ] = ()
    token_file: Annotated[str, kinds.text("a path", characters_max=_PATH_CHARACTERS_MAX)] = ""
    """A file with tokens, one on each line, which is read again when it changes."""
    certificate_names: Annotated[
        tuple[str, ...],
        kinds.texts(
            'URI or DNS names such as ["spiffe://prod/ns/billing/sa/*", "billing.internal"]', _CERTIFICATE_NAME
        ),
    ] = ()
    """Names of client certificates; `*` matches one or more characters, but no "/" of a URI or "." of a host."""
    connections: Annotated[tuple[str, ...], kinds.texts('names of connections, or ["*"] for all', rf"\*|{NAME}")] = (
        "default",
    )
    """Where it may publish, and what operations show it."""
    operations: Annotated[Literal["none", "status", "read", "write"], kinds.choice(*LEVELS)] = "none"
    """Each level includes those before it."""
    envelopes_per_second: Annotated[int, kinds.integer(0, _PER_SECOND_MAX)] = 0
    """Its quota; 0: no quota."""
    bytes_per_second: Annotated[int, kinds.size(1, _PER_SECOND_MAX, none=True)] = 0
    """Its quota; 0: no quota."""


Callers = Mapping[str, CallerSettings]
"""The configured callers by name."""
