"""The arithmetic of keys: log number << 48 | position, a connection's two logs numbered as a pair, normal first.

So a key says its connection's number, its priority and its place; which name a number stands for, it does not know.
"""

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.base import POSITION_BITS

CONNECTION_BITS = POSITION_BITS + 1
CONNECTIONS_MAX = (1 << 63 - CONNECTION_BITS) - 1
"""Keys are signed 64-bit numbers in every engine that we know."""


def log_start(number: int, priority: Priority) -> int:
    """What every key of a connection's log lies above, and by less than 2**48."""
    return (2 * number + (priority is Priority.BULK)) << POSITION_BITS


def log_end(number: int, priority: Priority) -> int:
    """What every key of a connection's log lies below."""
    return log_start(number, priority) + (1 << POSITION_BITS)


def connection_of(key: int) -> int:
    """The number of the connection that a key belongs to."""
    return key >> CONNECTION_BITS


def priority_of(key: int) -> Priority:
    """The priority of the log that a key belongs to."""
    return Priority.BULK if key >> POSITION_BITS & 1 else Priority.NORMAL
