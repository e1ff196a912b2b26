"""The settings: reads TOML and INTERCOMD_ variables into frozen structs, and reports all errors at once."""

from intercomd_daemon.config.load import Loaded, Row, describe, load
from intercomd_daemon.config.settings import TABLES, Settings

__all__ = ["TABLES", "Loaded", "Row", "Settings", "describe", "load"]
