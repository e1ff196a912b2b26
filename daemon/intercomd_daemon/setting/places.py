"""Kinds of settings for addresses and URLs: of listeners, the spool, Intercom and proxies.

Pure: only the form is checked, not whether a place exists.
"""

import re
from posixpath import normpath
from urllib.parse import SplitResult, parse_qs, urlsplit

from intercomd_daemon.setting.kinds import ValueKind, as_toml, shown, text
from intercomd_daemon.setting.secret import MASK, Secret

# Linux: struct sockaddr_un has 108 bytes for the path, its final NUL included.
_UNIX_PATH_BYTES_MAX = 107
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[A-Za-z0-9._-]+):(\d{1,5})", re.ASCII)
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1", re.ASCII)
_ENGINES = ("sqlite", "memory", "postgresql")
_PORT_MAX = 65_535
_DATABASE_HOST = re.compile(r"(?:\[[\w:.%]+\]|[^\[\]:]*)(?::(\d{0,5}))?", re.ASCII)


def address() -> ValueKind:
    """An address to listen on: host:port, [::]:port, or unix:path. Port 0 means any free port."""
    return ValueKind(_address)


def addresses(minimum: int = 0) -> ValueKind:
    """A list of addresses; as a variable: with commas between."""

    def read(raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list) or len(raw) < minimum:
            raise ValueError(f'{shown(raw)} is not a list of addresses; write ["127.0.0.1:50051"], for example')
        problems = []
        for item in raw:
            try:
                _address(item)
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError("; ".join(problems))
        return tuple(raw)

    return ValueKind(read, lambda given: [item.strip() for item in given.split(",") if item.strip()])


def _address(raw: object) -> str:
    if not isinstance(raw, str) or not raw.isprintable():
        raise ValueError(f'{shown(raw)} is not an address; write "host:port" or "unix:path" in quotes')
    if raw.startswith("unix:"):
        if 0 < len(raw[5:].encode()) <= _UNIX_PATH_BYTES_MAX:
            return raw
        raise ValueError(f"{shown(raw)} has a path that no socket can have; write 1 to {_UNIX_PATH_BYTES_MAX} bytes")
    matched = _HOST_AND_PORT.fullmatch(raw)
    if not matched:
        raise ValueError(
            f'{shown(raw)} is not an address; write "host:port" ("0.0.0.0:50051" or "[::]:50051" for every interface) '
            'or "unix:path"'
        )
    if int(matched[2]) > _PORT_MAX:
        raise ValueError(f"{shown(raw)} has a port above 65535; write one from 1 to 65535")
    return raw


def socket_mode() -> ValueKind:
    """The mode of a Unix socket, as octal text."""
    return text('a mode of a socket such as "0660"', r"0?[0-7]{3}")


def overlap(one: str, other: str) -> bool:
    """Returns whether two listeners cannot both listen on these addresses."""
    if one.startswith("unix:") and other.startswith("unix:"):
        return normpath(one[5:]) == normpath(other[5:])
    if one.startswith("unix:") or other.startswith("unix:"):
        return False
    one_host, one_port = _host_and_port(one)
    other_host, other_port = _host_and_port(other)
    if one_port != other_port or one_port == 0:
        return False
    return one_host == other_host or _covers(one_host, other_host) or _covers(other_host, one_host)


def is_local(address: str) -> bool:
    """Returns whether only this machine reaches an address: a Unix socket, or a loopback address as it is written.

    Other names may resolve to anything, so they are not.
    """
    if address.startswith("unix:"):
        return True
    return _LOOPBACK.fullmatch(_host_and_port(address)[0]) is not None


def host_of(address: str) -> str:
    """Returns the host of an address that clients call by it; empty for a wildcard and a Unix socket."""
    host = "" if address.startswith("unix:") else address.rpartition(":")[0].strip("[]").lower()
    return "" if host in {"0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.strip("[]").lower()
    return "127.0.0.1" if host == "localhost" else host, int(port)


def _covers(wildcard: str, host: str) -> bool:
    return wildcard == "::" or (wildcard == "0.0.0.0" and ":" not in host)  # noqa: S104  # compared, not bound


_SECRET_PARAMETERS = {
    "password": "put it into spool.password_file",
    "sslpassword": "give a key without a passphrase, in a file that the daemon alone can read",
}
_UNENFORCED = {"channel_binding": ("require",), "gssencmode": ("require",), "sslcertmode": ("require",)}
"""Values by which libpq demands a protection that the driver does not have."""


def spool_url() -> ValueKind:
    """Which engine keeps the spool, and where: `sqlite:PATH`, `postgresql://…`, or `memory:` alone."""

    def read(raw: object) -> str:
        engine, colon, path = raw.partition(":") if isinstance(raw, str) and raw.isprintable() else ("", "", "")
        if not colon or engine not in _ENGINES:
            raise ValueError(
                f'{shown(raw)} names no spool; write "sqlite:PATH", "postgresql://…", or "memory:" to keep nothing'
            )
        if engine == "memory" and path:
            raise ValueError(f'{shown(raw)} has a path that memory has no use for; write "memory:"')
        if engine == "sqlite" and (not path or path.startswith((":", "file:"))):
            raise ValueError(f'{shown(raw)} has no path to a file; write "sqlite:PATH", such as "sqlite:intercomd.db"')
        if engine == "postgresql":
            _check_database(path)
        return str(raw)

    return ValueKind(read)


def _check_database(rest: str) -> None:
    if not rest.startswith("//"):
        raise ValueError('"postgresql:" has no address; write "postgresql://role@host/database"')
    if "@" in rest and ":" in rest[2:].rpartition("@")[0]:
        raise ValueError("the URL of the database holds a password; put it into spool.password_file")
    address, _, query = rest[2:].partition("?")
    _check_parameters(query)
    hosts = address.partition("/")[0].rpartition("@")[2].split(",")
    ports = ",".join(parse_qs(query).get("port", ["0"])).split(",")
    for host in (*hosts, *(f":{port}" for port in ports)):
        found = _DATABASE_HOST.fullmatch(host)
        if found is None or int(found[1] or 0) > _PORT_MAX:
            raise ValueError(
                f"{shown(host)} is not a host of a database with a port up to {_PORT_MAX}; "
                'write "host", "host:5432" or "[::1]:5432"'
            )


def _check_parameters(query: str) -> None:
    """Checks the parameters that the database's driver neither applies nor sends."""
    for pair in query.split("&") if query else ():
        name, equals, value = pair.partition("=")
        if not equals or not value:
            raise ValueError(f'{shown(pair)} is not a parameter of a database; write "name=value"')
        if name in _SECRET_PARAMETERS:
            raise ValueError(f"the URL of the database holds a secret, {name}; {_SECRET_PARAMETERS[name]}")
        if value in _UNENFORCED.get(name, ()):
            raise ValueError(
                f"{shown(pair)} cannot be enforced; leave {name} out, and let sslmode=verify-full check the server"
            )


def base_url() -> ValueKind:
    """The URL of Intercom or a stand-in; empty: the region decides."""

    def read(raw: object) -> str:
        if raw == "":
            return ""
        url = _split(raw)
        if url is None or url.scheme not in {"https", "http"} or not url.hostname:
            raise ValueError(f'{shown(raw)} is not a url; write "https://host", such as "https://api.eu.intercom.io"')
        if url.username is not None or url.query or url.fragment:
            raise ValueError('this url has more than a host and a path; write "https://host" without user, ? or #')
        if url.scheme == "http" and url.hostname.endswith("intercom.io"):
            raise ValueError(f"{shown(raw)} would send the access token in the clear; write https://")
        return url.geturl().rstrip("/")

    return ValueKind(read)


NO_PROXY = "none"
"""Instead of a proxy's URL: calls go directly, regardless of the environment."""


def proxy() -> ValueKind:
    """An HTTP proxy, "none", or empty: the environment decides. It may hold credentials, so errors never show it."""

    def read(raw: object) -> Secret:
        if not isinstance(raw, str) or (raw not in {"", NO_PROXY} and split_proxy(raw) is None):
            raise ValueError(
                'this is not the URL of a proxy; write "http://host:port", "http://user:password@host:port", or "none"'
            )
        return Secret(raw)

    return ValueKind(read, show=lambda value: as_toml(shown_proxy(value.reveal())))


def split_proxy(text: str) -> SplitResult | None:
    """Returns the parts of a proxy's URL; None if it is not the URL of an HTTP proxy."""
    url = _split(text)
    if url is None or url.scheme != "http" or not url.hostname or url.path.strip("/") or url.query or url.fragment:
        return None
    return url


def shown_proxy(text: str) -> str:
    """Returns a proxy's URL with its credentials masked."""
    head, at, place = text.rpartition("@")
    scheme, separator, _ = head.rpartition("://")
    return f"{scheme}{separator}{MASK}@{place}" if at else text


def in_the_clear(url: str) -> bool:
    """Returns whether calls to this `base_url` send the access token over the network unencrypted."""
    split = urlsplit(url)
    return split.scheme == "http" and not _LOOPBACK.fullmatch(split.hostname or "")


def _split(raw: object) -> SplitResult | None:
    if not isinstance(raw, str) or not raw.isprintable() or " " in raw:
        return None
    try:
        url = urlsplit(raw)
        url.port  # noqa: B018  # raises for an invalid port
    except ValueError:
        return None
    return url
