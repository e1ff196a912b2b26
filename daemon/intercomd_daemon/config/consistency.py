"""Checks the settings as a whole: missing settings and contradictions, without opening files or connections."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from intercomd_daemon.config.caller_checks import check_callers
from intercomd_daemon.config.findings import CONNECTIONS, SettingFindings
from intercomd_daemon.config.listener_checks import check_listeners
from intercomd_daemon.config.setting_keys import nearest
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.config.upstream import TARGET, check_upstream
from intercomd_daemon.config.variables import variable
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.setting.places import NO_PROXY, in_the_clear

NOT_SET = "not set"
# "Intercom tracks the first 10 metadata keys, and ignores the rest without an error" (I27).
_EVENT_ATTRIBUTES_TRACKED = 10


def check_consistency(
    settings: Settings, origins: Mapping[str, str], wrong: AbstractSet[str], findings: SettingFindings
) -> None:
    """Adds missing settings and contradictions to the findings; keys in `wrong` have been reported already."""
    check_listeners(settings, origins, wrong, findings)
    check_callers(settings, origins, wrong, findings)
    if TARGET not in wrong:  # With a valid target this is an agent, whose other settings have an effect.
        check_upstream(settings, origins, findings)
    active = [connection for connection in settings.connections.values() if connection.active]
    forwards = settings.upstream.on or TARGET in wrong  # An agent calls its gateway alone.
    if settings.connections and not active and not forwards:
        message = "no connection is active, so every envelope will be skipped"
        findings.warn(CONNECTIONS, "active = false", message)
    for connection in active:
        if not forwards:
            _check_access(connection, wrong, findings)
    for connection in settings.connections.values():
        _check_connection(connection, settings.connections, origins, findings)


def _check_access(connection: ConnectionSettings, wrong: AbstractSet[str], findings: SettingFindings) -> None:
    prefix = f"{CONNECTIONS}.{connection.name}."
    token_keys = (prefix + "access_token_file", prefix + "access_token")
    if not connection.app_id and connection.verify_app_id and prefix + "app_id" not in wrong:
        message = (
            "an active connection needs the App ID of its workspace; "
            f"set it, here or as {variable(prefix + 'app_id')} (or verify_app_id = false)"
        )
        findings.problem(prefix + "app_id", NOT_SET, message)
    if not (connection.access_token or connection.access_token_file or any(key in wrong for key in token_keys)):
        message = (
            "an active connection needs an access token; "
            f"name the file that holds it, or set {variable(prefix + 'access_token')}"
        )
        findings.problem(prefix + "access_token_file", NOT_SET, message)


def _check_connection(
    connection: ConnectionSettings,
    connections: Mapping[str, ConnectionSettings],
    origins: Mapping[str, str],
    findings: SettingFindings,
) -> None:
    prefix = f"{CONNECTIONS}.{connection.name}."
    other = connection.development_connection
    if other and other not in connections:
        near = nearest(other, connections)
        advice = f"did you mean {near}?" if near else f"write [{CONNECTIONS}.{other}], or leave this empty"
        key = prefix + "development_connection"
        findings.problem(key, origins[key], f"connection {other} is not configured; {advice}")
    if connection.proxy.reveal() not in {"", NO_PROXY} and connection.url.startswith("http:"):
        key = prefix + "proxy"
        message = "a proxy could read the access token on the way to an http:// base_url; write https:// there"
        findings.problem(key, origins[key], f'{message}, or proxy = "none"')
    if in_the_clear(connection.base_url):
        key = prefix + "base_url"
        message = "calls to it carry the access token in the clear; write https:// unless it stands in for Intercom"
        findings.warn(key, origins[key], message)
    if connection.limits.event_attributes_max > _EVENT_ATTRIBUTES_TRACKED:
        key = prefix + "limits.event_attributes_max"
        message = f"Intercom tracks the first {_EVENT_ATTRIBUTES_TRACKED} and ignores the rest without an error"
        findings.warn(key, origins[key], message)
