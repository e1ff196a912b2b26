"""Keys of rows: log number << 48 | position. A connection's two logs are numbered as a pair, normal first.

So a key holds its connection's number, its priority and its position.
"""

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.rows import POSITION_BITS

CONNECTION_BITS = POSITION_BITS + 1
CONNECTIONS_MAX = (1 << 63 - CONNECTION_BITS) - 1
"""Keys are signed 64-bit numbers in every engine."""


def log_start(number: int, priority: Priority) -> int:
    """Returns the bound that every key of a log is above, by less than 2**48."""
    return (2 * number + (priority is Priority.BULK)) << POSITION_BITS


def log_end(number: int, priority: Priority) -> int:
    """Returns the bound that every key of a log is below."""
    return log_start(number, priority) + (1 << POSITION_BITS)


def connection_of(key: int) -> int:
    """Returns the number of the key's connection."""
    return key >> CONNECTION_BITS


def priority_of(key: int) -> Priority:
    """Returns the priority of the key's log."""
    return Priority.BULK if key >> POSITION_BITS & 1 else Priority.NORMAL
