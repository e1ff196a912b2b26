"""The settings: reads TOML and INTERCOMD_ variables into frozen structs, and reports all errors at once."""

from intercomd_daemon.config.load import Loaded, Row, describe, load
from intercomd_daemon.config.settings import Settings

__all__ = ["Loaded", "Row", "Settings", "describe", "load"]
