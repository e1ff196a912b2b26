"""Decides whether a channel may use an HTTP proxy: never for the local machine; otherwise gRPC decides."""

import ipaddress
import re

# "grpc.enable_http_proxy: Set to zero to disable use of HTTP proxy. Enabled by default."
_DIRECT = (("grpc.enable_http_proxy", 0),)
_SCHEME = re.compile(r"(?:dns:(?://[^/]*/)?|ipv4:|ipv6:|passthrough:(?://[^/]*/)?)", re.IGNORECASE)


def proxy_options(target: str) -> tuple[tuple[str, int], ...]:
    """Returns the channel options for `target`.

    `grpc_proxy`, `https_proxy` and `http_proxy`, with the exceptions in `no_grpc_proxy` and `no_proxy`, apply to remote
    targets only. gRPC by itself would send calls to 127.0.0.1 to the proxy, too.
    """
    return _DIRECT if is_local(target) else ()


def is_local(target: str) -> bool:
    """Returns whether a target is a Unix socket, or only loopback addresses."""
    if target.lower().startswith(("unix:", "unix-abstract:")):
        return True
    matched = _SCHEME.match(target)
    places = target[matched.end() :] if matched else target
    return all(_is_loopback(place) for place in places.split(","))


def _is_loopback(place: str) -> bool:
    """Returns whether `host`, `host:port`, `address` or `[address]:port` is a loopback address."""
    host = place.strip().lower().replace("%5b", "[").replace("%5d", "]")
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    # RFC 6761, 6.3: names that fall within ".localhost." are the loopback.
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
