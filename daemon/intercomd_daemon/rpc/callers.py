"""The callers of the settings: who a token or a certificate belongs to, and what each caller may do. Pure."""

from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

from intercomd_daemon.errors import ConnectionNotAllowed, OperationsNotAllowed
from intercomd_daemon.rpc.caller_quota import BYTES, ENVELOPES
from intercomd_daemon.rpc.certificate_names import NamePattern
from intercomd_daemon.rpc.settings import LEVELS, CallerSettings

TOKEN_CHARACTERS_MIN = 32
"""Shorter tokens are refused: `intercomd token` makes tokens with 256 random bits."""
EVERY_CONNECTION = "*"
"""In a caller's connections: all."""


class Level(IntEnum):
    """What a caller may do on the operations listeners."""

    NONE = 0
    STATUS = 1
    """GetStatus and `/metrics`: names of the settings and numbers, nothing of a person."""
    READ = 2
    """Outcomes, the trail and dead letters, which hold personal data."""
    WRITE = 3
    """Everything that changes something."""


class Caller(NamedTuple):
    """A caller and its permissions."""

    name: str
    """As in the settings; empty where no credential is needed."""
    connections: frozenset[str] | None
    """The connections that it may use; None: all."""
    level: Level

    def may_use(self, connection: str) -> bool:
        """Returns whether it may use a connection, which need not exist."""
        return self.connections is None or connection in self.connections

    def check_connection(self, connection: str) -> None:
        """Checks that it may use a connection, which need not exist.

        Raises:
            ConnectionNotAllowed: it may not.
        """
        if not self.may_use(connection):
            raise ConnectionNotAllowed(connection, self.name)

    def check_level(self, level: Level, action: str, *, everywhere: bool = False) -> None:
        """Checks that it may do something; `action` names it, `everywhere` demands all connections.

        Raises:
            OperationsNotAllowed: it may not.
        """
        section = f"[callers.{self.name}]" if self.name else "the settings of a caller"
        if self.level < level:
            raise OperationsNotAllowed(f'{action} needs operations = "{LEVELS[level]}" in {section}')
        if everywhere and self.connections is not None:
            raise OperationsNotAllowed(f'{action} needs connections = ["*"] in {section}')


ANYONE = Caller("", None, Level.WRITE)
"""Every process that reaches a listener without callers on loopback or a Unix socket."""
CERTIFICATE_HOLDER = Caller("", None, Level.NONE)
"""With a client CA and without callers: a verified certificate may publish to all, without operations."""


class Callers:
    """The callers by their credentials."""

    def __init__(self, settings: Mapping[str, CallerSettings], file_hashes: Mapping[str, Iterable[str]]) -> None:
        """`file_hashes` has the hashes of the tokens in each caller's file."""
        self._count = len(settings)
        self.rates: dict[str, dict[str, float]] = {
            name: {ENVELOPES: each.envelopes_per_second, BYTES: each.bytes_per_second}
            for name, each in settings.items()
        }
        """The rates of each caller's quota, by their setting."""
        self._by_hash: dict[str, Caller] = {}
        self._patterns: list[tuple[NamePattern, Caller]] = []
        for name, caller_settings in settings.items():
            caller = _caller(caller_settings)
            self._by_hash |= dict.fromkeys((*caller_settings.token_sha256, *file_hashes.get(name, ())), caller)
            self._patterns += [(NamePattern(text), caller) for text in caller_settings.certificate_names]

    def __bool__(self) -> bool:
        """Whether there is a caller, with or without a credential."""
        return self._count > 0

    def by_hash(self, token_hash: str) -> Caller | None:
        """Returns the caller with a token of this hash."""
        return self._by_hash.get(token_hash)

    def by_names(self, uris: Collection[str], dns_names: Collection[str]) -> Caller | None:
        """Returns the caller that the names of a certificate belong to; None if they belong to none or to several."""
        found = {
            caller
            for pattern, caller in self._patterns
            if any(map(pattern.matches, uris if pattern.is_uri else dns_names))
        }
        return found.pop() if len(found) == 1 else None


def hash_of(token: str) -> str:
    """Returns the hash of a token as the settings have it; empty for a token that is too short to be accepted."""
    return sha256(token.encode()).hexdigest() if len(token) >= TOKEN_CHARACTERS_MIN else ""


def bearer_token(values: Collection[str]) -> str:
    """Returns the token of the `authorization` headers of a call; empty if they hold no usable one.

    The scheme is case-insensitive. Several headers are as invalid as a wrong one.
    """
    if len(values) != 1:
        return ""
    scheme, _, token = next(iter(values)).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _caller(settings: CallerSettings) -> Caller:
    names = frozenset(settings.connections)
    connections = None if EVERY_CONNECTION in names else names
    return Caller(settings.name, connections, Level(LEVELS.index(settings.operations)))
