"""From the settings to what each part is told. No part imports the settings; this is where they meet."""

from typing import Literal, cast

from intercomd_daemon import config
from intercomd_daemon.deliver.settings import ConnectionSettings
from intercomd_daemon.ingest.limits import ConnectionRules, RequestLimits
from intercomd_daemon.operations.http import OperationsSettings
from intercomd_daemon.spool.sqlite import SpoolSettings
from intercomd_daemon.telemetry.logs import LogSettings
from intercomd_daemon.unix_socket import Access


def accepting(settings: config.Settings) -> dict[str, ConnectionRules]:
    """What accepting must know of each connection."""
    return {name: _rules(connection) for name, connection in settings.connections.items()}


def _rules(connection: config.Connection) -> ConnectionRules:
    return ConnectionRules(
        name=connection.name,
        active=connection.active,
        development_connection=connection.development_connection,
        session_end_name=connection.session_end_name,
        commerce=cast(Literal["expanded", "summary", "off"], connection.commerce),
        commerce_from_web=connection.commerce_from_web,
        same_second=cast(Literal["shift", "keep"], connection.same_second),
        event_attributes_max=connection.limits.event_attributes_max,
        user_attributes_max=connection.limits.user_attributes_max,
        on_excess=cast(Literal["trim", "reject"], connection.limits.on_excess),
    )


def requests(settings: config.Settings) -> RequestLimits:
    """How large a request may be."""
    return RequestLimits(settings.ingest.envelopes_max, settings.ingest.request_bytes_max)


def delivering(connection: config.Connection) -> ConnectionSettings:
    """What delivering must know of a connection."""
    return ConnectionSettings(
        name=connection.name,
        app_id=connection.app_id,
        access_token_file=connection.access_token_file,
        base_url=connection.base_url,
        region=connection.region,
        api_version=connection.api_version,
        active=connection.active,
        dry_run=connection.dry_run,
        verify_app_id=connection.verify_app_id,
        update_email=connection.update_email,
        unchanged_for_seconds=connection.unchanged_for_seconds,
        missing_attributes=connection.missing_attributes,
        attributes_created_max=connection.attributes_created_max,
        unarchive=connection.unarchive,
        event_age_max_seconds=connection.event_age_max_seconds,
        attribute_types=connection.attribute_types,
        user_attributes_max=connection.limits.user_attributes_max,
        rate_share=connection.rate.share,
        calls_per_window=connection.rate.calls_per_window,
    )


def spool(settings: config.Settings) -> SpoolSettings:
    """What the engine is told."""
    return SpoolSettings(
        path=settings.spool.path,
        bytes_max=settings.spool.bytes_max,
        free_bytes_min=settings.spool.free_bytes_min,
        duplicate_window_seconds=settings.spool.duplicate_window_seconds,
        outcomes_max=settings.spool.outcomes_max,
        lock_wait_seconds=settings.spool.lock_wait_seconds,
        connections=tuple(settings.connections),
    )


def operations(settings: config.Settings) -> OperationsSettings:
    """Where operators and probes are answered."""
    told = settings.operations
    access = Access(int(told.unix_mode, 8), told.unix_group)
    return OperationsSettings(told.listen, told.grpc_listen, settings.health.listen, access)


def ingest_access(settings: config.Settings) -> Access:
    """Who may connect to the Unix sockets of senders."""
    return Access(int(settings.ingest.unix_mode, 8), settings.ingest.unix_group)


def log(settings: config.Settings) -> LogSettings:
    """What is told, and how."""
    return LogSettings(settings.log.format, settings.log.level, settings.log.values)
