"""Raises the number of files that the process may open: each connection is one."""

import resource

from intercomd_daemon.ingest.settings import IngestSettings

RESERVED = 256
"""Files beside connections of senders: the spool, connections to Intercom, operators, probes, libraries."""


def raise_file_limit() -> int:
    """Raises the soft limit to the hard one; returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def file_limit_warning(settings: IngestSettings, limit: int) -> str:
    """Returns a warning if the limit of files is reached before that of connections; else an empty text."""
    if limit == resource.RLIM_INFINITY:
        return ""
    needed = settings.connections_max * len(settings.listen) + RESERVED
    if needed <= limit:
        return ""
    return (
        f"ingest.connections_max: {settings.connections_max} connections on each address need {needed} files, and this "
        f"process may open {limit}; raise its limit (LimitNOFILE, ulimit -n), or lower connections_max"
    )
