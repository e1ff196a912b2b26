"""Ports for listeners whose address must be known before they start, or must stay the same over restarts."""

import os
import random
import socket
from itertools import cycle

# Linux gives outgoing connections 32768 and above (ip(7), ip_local_port_range): one of them may be taken at any time.
_PORTS = range(15_000, 32_000)
_BLOCK = 100
"""A process takes these ports in turn: those of another one may only seem free, while a daemon there starts again."""
_first = _PORTS[os.getpid() * _BLOCK % len(_PORTS)]
_turn = cycle(random.SystemRandom().sample(range(_first, _first + _BLOCK), _BLOCK))


def free_port() -> int:
    """Returns a port of 127.0.0.1 that is free, and that no outgoing connection takes."""
    while True:
        port = next(_turn)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
