"""What the SQLite engine is told; the defaults are the contract's. Where the values come from, it does not know."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SpoolSettings:
    """Bytes are bytes, times are seconds."""

    path: str = "intercomd.db"
    bytes_max: int = 2 << 30
    """Of waiting envelopes and dead letters, overhead included; at least `quota.BYTES_MIN`."""
    free_bytes_min: int = 256 << 20
    """Below this much free space on the disk nothing is accepted."""
    duplicate_window_seconds: float = 86_400.0
    outcomes_max: int = 200_000
    """Rows of the journal."""
    lock_wait_seconds: float = 60.0
    """For the daemon that holds the spool to go."""
    connections: tuple[str, ...] = ("default",)
    """Those that share the quota."""
