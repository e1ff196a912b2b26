"""The engine on PostgreSQL, which several daemons share. Only this package knows its tables and imports its driver."""

from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool, open_spool
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings

__all__ = ["PostgresqlSettings", "PostgresqlSpool", "open_spool"]
