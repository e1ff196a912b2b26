"""How far to read ahead in the logs, so that memory is bounded by the window and not by the backlog. Pure.

Each priority has half of the window, so that a bulk backlog never keeps normal envelopes out of sight.
"""

from intercomd_daemon.envelope import Priority

# "Window of the log: 4,096 envelopes and 8 MiB a connection, a lane at most 256 of it."
ROWS_MAX = 4096
BYTES_MAX = 8 * 1024 * 1024
LANE_ROWS_MAX = 256
# Rows of one read; a refill waits until so many fit, so that a full window is not topped up row by row.
READ_ROWS = 512


class ReadAheadWindow:
    """The window of one log."""

    def __init__(self) -> None:
        self.after = 0
        """The key of the last row read."""
        self._rows = 0
        self._bytes = 0
        self._more = True

    @property
    def rows(self) -> int:
        """Rows in memory."""
        return self._rows

    @property
    def full(self) -> bool:
        """Whether there is no room for a fair number of rows."""
        return self._rows > ROWS_MAX // 2 - READ_ROWS or self._bytes >= BYTES_MAX // 4

    def wants(self) -> bool:
        """Whether to read on: there may be more, and there is room."""
        return self._more and not self.full

    def appended(self) -> None:
        """Rows were appended behind what was read."""
        self._more = True

    def reading(self) -> None:
        """A read begins: rows appended from now on may be missed by it."""
        self._more = False

    def read(self, rows: int, size: int, after: int) -> None:
        """A read is over: so many rows came in, and it went so far."""
        self._rows += rows
        self._bytes += size
        if after > self.after:
            # It moved, so there may be more; the read that does not move ends the stretch.
            self._more = True
        self.after = max(self.after, after)

    def left(self, rows: int, size: int) -> None:
        """Rows have left memory: settled, or set aside."""
        self._rows -= rows
        self._bytes -= size


def window() -> dict[Priority, ReadAheadWindow]:
    """An empty window, before anything was read."""
    return {Priority.NORMAL: ReadAheadWindow(), Priority.BULK: ReadAheadWindow()}
