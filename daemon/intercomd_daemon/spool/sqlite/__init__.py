"""The spool in one SQLite file."""

from intercomd_daemon.spool.sqlite.engine import SqliteSpool, open_spool
from intercomd_daemon.spool.sqlite.settings import SpoolSettings

__all__ = ["SpoolSettings", "SqliteSpool", "open_spool"]
