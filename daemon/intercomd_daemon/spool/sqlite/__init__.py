"""The spool in one SQLite file."""

from intercomd_daemon.spool.sqlite.engine import SqliteSpool, open_spool
from intercomd_daemon.spool.sqlite.settings import SqliteSettings

__all__ = ["SqliteSettings", "SqliteSpool", "open_spool"]
