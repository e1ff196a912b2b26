"""How far to read ahead in the logs of a connection, so that the window bounds memory, not the backlog. Pure.

Each priority has half of the window, so that a bulk backlog cannot keep normal envelopes from being read.
"""

from collections.abc import Iterable

from intercomd_daemon.envelope import Priority

# The window of a connection, over both logs. A lane has at most LANE_ROWS_MAX rows of it.
ROWS_MAX = 4096
BYTES_MAX = 8 * 1024 * 1024
LANE_ROWS_MAX = 256
# Rows of one read. A full window is read on only when this many rows fit, not row by row.
READ_ROWS = 512


class LogWindow:
    """The rows of one log that are in memory."""

    def __init__(self) -> None:
        self.after = 0
        """The key of the last row read."""
        self.rows = 0
        """Rows in memory."""
        self._bytes = 0
        self._more = True
        """Whether the log may hold rows that were not read."""

    @property
    def full(self) -> bool:
        """Whether the rows of another read may not fit.

        A log has half of the window. Half of its bytes are left for the next read, which adds up to 1 MiB, or one row
        that is larger.
        """
        return self.rows > ROWS_MAX // 2 - READ_ROWS or self._bytes >= BYTES_MAX // 4

    @property
    def readable(self) -> bool:
        """Whether to read on: the log may hold more, and there is room."""
        return self._more and not self.full

    def mark_appended(self) -> None:
        """Notes that the log has rows that were not read."""
        self._more = True

    def start_read(self) -> None:
        """Notes that a read starts, which may miss rows that are appended from now on."""
        self._more = False

    def end_read(self, rows: int, size: int, after: int) -> None:
        """Adds the rows of a read that reached the key `after`."""
        self.rows += rows
        self._bytes += size
        if after > self.after:
            # The log may go on behind what this read reached. Only a read that gets no further has found the end.
            self._more = True
        self.after = max(self.after, after)

    def remove(self, size: int) -> None:
        """Removes a row of this size from memory."""
        self.rows -= 1
        self._bytes -= size


class ReadAhead:
    """The window of a connection: its rows in memory, and the one read that may be in progress."""

    def __init__(self) -> None:
        self.reading = False
        """Whether a read is in progress."""
        self._windows = {Priority.NORMAL: LogWindow(), Priority.BULK: LogWindow()}
        self._rows: dict[int, tuple[Priority, int]] = {}
        """The priority and size of each row in memory, by its key."""

    @property
    def rows(self) -> int:
        """Rows in memory."""
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether rows in memory keep others from being read."""
        return any(window.full for window in self._windows.values())

    def mark_appended(self, priority: Priority) -> None:
        """Notes that rows were appended to a log."""
        self._windows[priority].mark_appended()

    def start_read(self) -> tuple[Priority, int] | None:
        """Returns the log to read now and the key to read after, normal before bulk; None if no read may start."""
        if self.reading:
            return None
        for priority, window in self._windows.items():
            if window.readable:
                window.start_read()
                self.reading = True
                return priority, window.after
        return None

    def end_read(self, priority: Priority, sizes: Iterable[tuple[int, int]], after: int) -> None:
        """Adds the rows of the read in progress, as (key, bytes)."""
        added = dict(sizes)
        for key, size in added.items():
            self._rows[key] = (priority, size)
        self._windows[priority].end_read(len(added), sum(added.values()), after)
        self.reading = False

    def remove(self, keys: Iterable[int]) -> None:
        """Removes rows from memory; those of parked lanes are not in the window and are passed over."""
        for key in keys:
            row = self._rows.pop(key, None)
            if row is not None:
                priority, size = row
                self._windows[priority].remove(size)
