"""Connections that update the users of one workspace: what each has sent says nothing about what the others have sent.

With values 1, 2 and 1 from two connections in turn, the first would skip its second 1 as unchanged, and 2 would stay.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from intercomd_daemon.config.findings import CONNECTIONS, SettingFindings
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.connection import by_workspace


def separate(settings: Settings, origins: Mapping[str, str], findings: SettingFindings) -> Settings:
    """Returns the settings in which such connections always send attributes, and warns of each that would not."""
    if settings.upstream.on:
        return settings
    writing = {name: each for name, each in settings.connections.items() if each.active and not each.dry_run}
    connections = dict(settings.connections)
    for names in by_workspace(writing).values():
        for name in names:
            others = [other for other in names if other != name]
            if others and connections[name].unchanged_for_seconds:
                connections[name] = replace(connections[name], unchanged_for_seconds=0.0)
                key = f"{CONNECTIONS}.{name}.unchanged_for"
                message = f'"0s" applies, as {", ".join(others)} may send other values to users of the same workspace'
                findings.warn(key, origins[key], message)
    return replace(settings, connections=MappingProxyType(connections))
