"""The clock of all daemons that share a database: the own wall clock, corrected by the difference to the database's."""

from collections.abc import Awaitable, Callable

import asyncpg

ReadTime = Callable[[asyncpg.Connection], Awaitable[float]]


async def read_time(connection: asyncpg.Connection) -> float:
    """Returns Unix seconds by the database's clock."""
    return float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8"))


class DatabaseClock:
    """Unix seconds that are the same in every daemon, however their clocks are set.

    Only stored times come from it. Leases and pauses are measured by clocks that cannot be set.
    """

    def __init__(self, wall: Callable[[], float], read: ReadTime = read_time) -> None:
        """Equals the wall clock until the first `measure`."""
        self._wall = wall
        self._read = read
        self._offset: float | None = None

    def now(self) -> float:
        """Returns Unix seconds."""
        return self.corrected(self._wall())

    def corrected(self, wall: float) -> float:
        """Returns a time of the wall clock as Unix seconds of this clock."""
        return wall + (self._offset or 0.0)

    async def measure(self, connection: asyncpg.Connection) -> None:
        """Measures the difference. It changes only if it is outside of what this measurement allows.

        The database read its clock at some time between the request and the response.
        """
        before = self._wall()
        time = await self._read(connection)
        least, most = time - self._wall(), time - before
        self._offset = (least + most) / 2 if self._offset is None else min(max(self._offset, least), most)
