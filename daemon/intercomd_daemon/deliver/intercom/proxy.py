"""Selects the HTTP proxy for the calls of a connection."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.setting.places import NO_PROXY, shown_proxy, split_proxy

# As curl has it, the lower-case name goes first.
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY")
_EXCEPTIONS_VARIABLES = ("no_proxy", "NO_PROXY")


class ProxyInvalid(IntercomdError):
    """The environment names a proxy that cannot be used."""


@dataclass(frozen=True)
class Proxy:
    """A proxy through which calls go in a tunnel (CONNECT)."""

    url: str
    """Without credentials."""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def proxy_for(url: str, setting: str, environment: Mapping[str, str]) -> Proxy | None:
    """Returns the proxy for calls to `url`; None: they go directly.

    The setting decides if it is set. Otherwise HTTPS_PROXY applies to https, except for the loopback and the hosts
    of NO_PROXY. Calls over plain http never use a proxy, which could read the access token.

    Raises:
        ProxyInvalid: HTTPS_PROXY is not the URL of an HTTP proxy.
    """
    place = urlsplit(url)
    if setting == NO_PROXY or place.scheme != "https":
        return None
    if setting:
        return _parsed(setting, "proxy")
    name = next((name for name in _PROXY_VARIABLES if environment.get(name)), "")
    exceptions = next((environment[name] for name in _EXCEPTIONS_VARIABLES if environment.get(name)), "")
    host = (place.hostname or "").rstrip(".")
    if not name or _is_loopback(host) or _is_excepted(host, place.port or 443, exceptions):
        return None
    text = environment[name].strip()
    return _parsed(text if "://" in text else f"http://{text}", name)


def _parsed(text: str, origin: str) -> Proxy:
    parts = split_proxy(text)
    if parts is None:
        raise ProxyInvalid(
            f"{origin} is {shown_proxy(text)}, which is not the URL of an HTTP proxy; write http://host:port"
        )
    place = parts.netloc.rpartition("@")[2]
    return Proxy(f"http://{place}", unquote(parts.username or ""), unquote(parts.password or ""))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    return any(_covers(entry, host, port) for entry in exceptions.lower().replace(",", " ").split())


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY applies: `*`, a name and all below it, an address, a network; perhaps a port."""
    if entry == "*":
        return True
    name, _, entry_port = entry.rpartition(":")
    if name and entry_port.isdecimal() and (":" not in name or name.endswith("]")):
        if int(entry_port) != port:
            return False
        entry = name
    address = _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            return False
    entry = entry.removeprefix("*").strip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
