"""The settings: TOML and INTERCOMD_ variables to frozen structs, every error at once."""

from intercomd_daemon.config.load import Loaded, Row, describe, load
from intercomd_daemon.config.secret import Secret
from intercomd_daemon.config.settings import (
    Connection,
    Health,
    Ingest,
    Limits,
    Log,
    Operations,
    Rate,
    Settings,
    Spool,
)

__all__ = [
    "Connection",
    "Health",
    "Ingest",
    "Limits",
    "Loaded",
    "Log",
    "Operations",
    "Rate",
    "Row",
    "Secret",
    "Settings",
    "Spool",
    "describe",
    "load",
]
