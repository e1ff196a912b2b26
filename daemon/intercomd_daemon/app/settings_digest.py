"""Digests of the settings that all daemons of a fleet should share, without secrets and paths of one host."""

from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from intercomd_daemon import __version__
from intercomd_daemon.config import Settings
from intercomd_daemon.spool.fleet import Fleet

_OWN = frozenset({"access_token", "access_token_file", "ca_file", "password_file", "proxy"})
"""Fields that may differ from host to host."""


def digests_of(settings: Settings) -> dict[str, str]:
    """Returns a digest of each section, by its key: `spool`, `connections.eu`."""
    sections: dict[str, object] = {"spool": settings.spool, "fleet.lease": settings.fleet.lease_seconds}
    sections |= {f"connections.{name}": connection for name, connection in settings.connections.items()}
    return {name: _digest(section) for name, section in sections.items()}


def join_fleet(fleet: Fleet | None, settings: Settings, wake: Callable[[], None]) -> None:
    """Shows this release and the digests of its settings to the daemons that share the spool, if it is shared.

    `wake` is called after others of them committed outcomes.
    """
    if fleet is not None:
        fleet.join(__version__, digests_of(settings))
        fleet.on_outcomes(wake)


def _digest(section: object) -> str:
    built = msgspec.to_builtins(section, enc_hook=_encode)
    if isinstance(built, dict):
        built = {name: value for name, value in built.items() if name not in _OWN}
    return blake2b(msgspec.json.encode(built, order="sorted"), digest_size=6).hexdigest()


def _encode(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else None
