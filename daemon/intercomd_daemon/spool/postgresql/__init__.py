"""The engine on PostgreSQL, which several daemons share. Only this package knows its tables and imports its driver."""
