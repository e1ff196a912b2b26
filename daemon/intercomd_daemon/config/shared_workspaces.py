"""Connections that update the users of one workspace: what each has sent says nothing about what the others have sent.

With values 1, 2 and 1 from two connections in turn, the first would skip its second 1 as unchanged, and 2 would stay.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from intercomd_daemon.config.findings import CONNECTIONS, SettingFindings
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.connection import by_workspace

_LISTED_MAX = 5
"""Connections that the warning names."""


def separate(settings: Settings, origins: Mapping[str, str], findings: SettingFindings) -> Settings:
    """Returns the settings in which such connections always send attributes, and warns if one of them would not."""
    if settings.upstream.on:
        return settings
    connections = dict(settings.connections)
    for names in by_workspace(connections).values():
        comparing = [name for name in names if connections[name].unchanged_for_seconds]
        if len(names) == 1 or not comparing:
            continue
        for name in comparing:
            connections[name] = replace(connections[name], unchanged_for_seconds=0.0)
        key = f"{CONNECTIONS}.{comparing[0]}.unchanged_for"
        more = len(names) - _LISTED_MAX
        listed = ", ".join(names[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")
        message = f'"0s" applies to the connections of this workspace ({listed}): each may change what another has sent'
        findings.warn(key, origins[key], message)
    return replace(settings, connections=MappingProxyType(connections))
