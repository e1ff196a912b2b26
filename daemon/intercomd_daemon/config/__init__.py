"""The settings: reads TOML and INTERCOMD_ variables into frozen structs, and reports all errors at once."""

from intercomd_daemon.config.load import LoadedSettings, SettingRow, describe, load
from intercomd_daemon.config.settings import TABLES, Settings

__all__ = ["TABLES", "LoadedSettings", "SettingRow", "Settings", "describe", "load"]
