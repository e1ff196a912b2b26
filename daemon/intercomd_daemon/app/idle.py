"""The status of a connection without a worker."""

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus


def idle_status(settings: ConnectionSettings, since: float, *, active: bool, waits: bool) -> ConnectionStatus:
    """Returns the status of a connection that is inactive, or whose worker has not started.

    `waits`: for the lease of its workspace.
    """
    reason = "active = false in the settings"
    if active:
        reason = "another daemon delivers the workspace" if waits else "the daemon is starting"
    return ConnectionStatus(
        name=settings.name,
        state=ConnectionState.VERIFYING if active else ConnectionState.INACTIVE,
        reason=reason,
        since=since,
        app_id=settings.app_id,
        workspace_name="",
        region=settings.region,
        dry_run=settings.dry_run,
        calls=0,
        budget_limit=0,
        budget_plan=0,
        budget_remaining=0,
        window_seconds=0.0,
        window_ends=0.0,
        lanes_open=0,
        rows_read_ahead=0,
        next_probe=0.0,
        last_error="",
    )
