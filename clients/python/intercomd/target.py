"""Checks targets. gRPC itself would retry a malformed one for ever."""

import re

_URL = re.compile(r"(https?|grpcs?|tcp|wss?)://", re.IGNORECASE)
_RESOLVER = re.compile(r"(?:dns:(?://[^/]*/)?|ipv4:|ipv6:)", re.IGNORECASE)
# Resolvers of gRPC whose targets have a form of their own.
_OTHER = re.compile(r"(?:unix|unix-abstract|vsock|xds|passthrough|google-c2p):", re.IGNORECASE)


def check_target(target: str) -> None:
    """Accepts "host:port", "unix:/path" and gRPC's other forms.

    Raises:
        TypeError: the target is not a str.
        ValueError: it is malformed; the message names the mistake and the fix.
    """
    if not isinstance(target, str):
        raise TypeError(f"target must be a str such as '127.0.0.1:50051', not {type(target).__name__}")
    if not target or target != target.strip() or any(character.isspace() for character in target):
        raise ValueError(f"target {target!r} is empty or has white space: write it as '127.0.0.1:50051'")
    if url := _URL.match(target):
        raise ValueError(f"target {target!r} is a URL: leave {url[0]!r} out, and set `tls` for TLS")
    if _OTHER.match(target):
        if not target.partition(":")[2].strip("/"):
            raise ValueError(f"target {target!r} has no path: write it as 'unix:/run/intercomd.sock'")
        return
    resolver = _RESOLVER.match(target)
    for place in target[resolver.end() if resolver else 0 :].split(","):
        _check_place(target, place)


def _check_place(target: str, place: str) -> None:
    """Checks `host:port` or `[address]:port`."""
    host, colon, port = place.replace("%5B", "[").replace("%5D", "]").rpartition(":")
    if not colon or (host.count(":") and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError(f"target {target!r} has no port: write it as 'host:50051' or '[address]:50051'")
    if not host:
        raise ValueError(f"target {target!r} has no host: write it as 'host:{port}'")
    if "/" in place:
        raise ValueError(f"target {target!r} has a path after the port: write it as 'host:port'")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65_535 and len(port) < 6):
        raise ValueError(f"target {target!r} has the port {port!r}: a port is a number from 1 to 65535")
