"""The settings of the engine."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PostgresqlSettings:
    """Where the database is, how much the spool may hold, and who this daemon is."""

    url: str
    password_file: str = ""
    bytes_max: int = 2 << 30
    duplicate_window_seconds: float = 86_400.0
    outcomes_max: int = 1_000_000
    outcomes_kept_seconds: float = 259_200.0
    refusals_max: int = 10_000
    connections: tuple[str, ...] = ("default",)
    daemon_id: str = ""
    lease_seconds: float = 10.0
    poll_seconds: float = 1.0
    """Between two reads of the counters; rows whose notification was lost are delivered this much later."""
