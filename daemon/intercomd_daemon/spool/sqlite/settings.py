"""The settings of the SQLite engine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SqliteSettings:
    """Sizes are in bytes, times in seconds."""

    path: str = "intercomd.db"
    bytes_max: int = 2 << 30
    """Bytes of waiting envelopes and dead letters, overhead included; at least `quota.BYTES_MIN`."""
    free_bytes_min: int = 256 << 20
    """Nothing is accepted while the disk has less free space."""
    duplicate_window_seconds: float = 86_400.0
    outcomes_max: int = 1_000_000
    """Rows of the journal."""
    outcomes_kept_seconds: float = 259_200.0
    """How long the journal keeps an outcome."""
    refusals_max: int = 10_000
    """Rejected and skipped envelopes kept for the trail, no longer than outcomes."""
    lock_wait_seconds: float = 60.0
    """How long to wait for the daemon that holds the spool to stop."""
    connections: tuple[str, ...] = ("default",)
    """The connections that share the quota."""
