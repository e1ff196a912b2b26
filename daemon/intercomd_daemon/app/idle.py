"""The status of a connection without a worker in this process."""

from msgspec.structs import replace

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.connection_status import PAUSED_REASON, ConnectionState, ConnectionStatus
from intercomd_daemon.spool.fleet import Fleet


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
        region=settings.region,
        dry_run=settings.dry_run,
    )


def status_elsewhere(idle: ConnectionStatus, fleet: Fleet) -> ConnectionStatus:
    """Returns the status that the delivering daemon reported; without a report, the idle one with that daemon's id."""
    if (found := fleet.connection_status(idle.name)) is not None:
        return replace(found, elsewhere=True)
    deliverer = fleet.deliverer(idle.name)
    known = replace(idle, delivered_by=deliverer, elsewhere=bool(deliverer))
    if fleet.is_paused(idle.name):
        return replace(known, state=ConnectionState.PAUSED, reason=PAUSED_REASON)
    return known
