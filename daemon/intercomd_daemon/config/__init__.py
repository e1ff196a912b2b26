"""The settings: TOML and INTERCOMD_ variables to frozen structs, every error at once."""

from intercomd_daemon.config.load import Loaded, Row, describe, load
from intercomd_daemon.config.settings import Settings

__all__ = ["Loaded", "Row", "Settings", "describe", "load"]
