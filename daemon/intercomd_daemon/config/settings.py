"""All settings: the structs that the parts declare, composed under the names of their sections."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.fleet.settings import FleetSettings
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.settings import HealthSettings, OperationsSettings
from intercomd_daemon.rpc.settings import Callers, CallerSettings
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.stopping import StoppingSettings
from intercomd_daemon.telemetry.settings import LogSettings
from intercomd_daemon.telemetry.trace_settings import TraceSettings


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    ingest: IngestSettings = IngestSettings()
    spool: SpoolSettings = SpoolSettings()
    operations: OperationsSettings = OperationsSettings()
    health: HealthSettings = HealthSettings()
    log: LogSettings = LogSettings()
    stopping: StoppingSettings = StoppingSettings()
    traces: TraceSettings = TraceSettings()
    fleet: FleetSettings = FleetSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    connections: Mapping[str, ConnectionSettings] = MappingProxyType({})
    """By name, in the order of the file."""
    callers: Callers = MappingProxyType({})
    """By name; with none, loopback and Unix sockets need no credential."""


TABLES: Mapping[str, type[msgspec.Struct]] = MappingProxyType(
    {"connections": ConnectionSettings, "callers": CallerSettings}
)
"""The tables whose keys are names, and what they hold by name."""
