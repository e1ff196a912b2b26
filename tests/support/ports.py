"""Ports for listeners whose address must be known before they start, or must stay the same over restarts."""

import random
import socket

# Linux gives outgoing connections 32768 and above (ip(7), ip_local_port_range): one of them may be taken at any time.
_PORTS = range(15_000, 32_000)
_random = random.SystemRandom()


def free_port() -> int:
    """Returns a port of 127.0.0.1 that is free, and that no outgoing connection takes."""
    while True:
        port = _random.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
