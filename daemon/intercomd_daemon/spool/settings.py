"""The settings of the spool: `[spool]`."""

from typing import Annotated

import msgspec

from intercomd_daemon.setting import kinds, places
from intercomd_daemon.setting.kinds import DAY, GIB, HOUR, MIB

_SIZE_ALLOWED = 1 << 50


class SpoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the spool is and how much it may hold."""

    url: Annotated[str, places.spool_url()] = "sqlite:intercomd.db"
    password_file: Annotated[str, kinds.text("a path", characters_max=4096)] = ""
    """Holds the password of a PostgreSQL role; read again for each connection."""
    bytes_max: Annotated[int, kinds.size(MIB, _SIZE_ALLOWED)] = 2 * GIB
    free_bytes_min: Annotated[int, kinds.size(0, _SIZE_ALLOWED)] = 256 * MIB
    duplicate_window_seconds: Annotated[float, kinds.duration(1.0, 30 * DAY)] = msgspec.field(
        default=DAY, name="duplicate_window"
    )
    outcomes_max: Annotated[int, kinds.integer(1, 100_000_000)] = 1_000_000
    outcomes_kept_seconds: Annotated[float, kinds.duration(1.0, 365 * DAY)] = msgspec.field(
        default=3 * DAY, name="outcomes_kept"
    )
    refusals_max: Annotated[int, kinds.integer(0, 100_000)] = 10_000
    lock_wait_seconds: Annotated[float, kinds.duration(0.0, HOUR)] = msgspec.field(default=60.0, name="lock_wait")

    @property
    def engine(self) -> str:
        """`sqlite` or `memory`."""
        return self.url.partition(":")[0]

    @property
    def path(self) -> str:
        """The file of a `sqlite` spool, relative to the working directory; empty for `memory`."""
        return self.url.partition(":")[2]
