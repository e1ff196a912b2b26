"""Checks the callers of the settings: credentials that two of them share, and names that no listener can verify."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import combinations

from intercomd_daemon.config.findings import CALLERS, CONNECTIONS, SettingFindings
from intercomd_daemon.config.setting_keys import nearest
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.rpc.callers import EVERY_CONNECTION
from intercomd_daemon.rpc.certificate_names import NamePattern
from intercomd_daemon.rpc.settings import CallerSettings


def check_callers(
    settings: Settings, origins: Mapping[str, str], wrong: AbstractSet[str], findings: SettingFindings
) -> None:
    """Adds missing settings and contradictions to the findings; keys in `wrong` have been reported already."""
    _check_hashes(settings, origins, findings)
    _check_names(settings, origins, wrong, findings)
    for caller in settings.callers.values():
        _check_connections(caller, settings, origins, findings)
        _check_credentials(caller, findings)


def _check_hashes(settings: Settings, origins: Mapping[str, str], findings: SettingFindings) -> None:
    """A hash that is given twice leaves open who calls."""
    seen: dict[str, str] = {}
    for name, caller in settings.callers.items():
        key = f"{CALLERS}.{name}.token_sha256"
        for token_hash in caller.token_sha256:
            if token_hash in seen:
                message = f"{token_hash[:8]}… is in {seen[token_hash]} too; give each caller a token of its own"
                findings.problem(key, origins[key], message)
            seen[token_hash] = key


def _check_names(
    settings: Settings, origins: Mapping[str, str], wrong: AbstractSet[str], findings: SettingFindings
) -> None:
    patterns = [
        (f"{CALLERS}.{name}.certificate_names", NamePattern(text))
        for name, caller in settings.callers.items()
        for text in caller.certificate_names
    ]
    for (other_key, other), (key, pattern) in combinations(patterns, 2):
        if pattern.overlaps(other):
            message = f'"{pattern.text}" and "{other.text}" of {other_key} match the same names; narrow one of them'
            findings.problem(key, origins[key], message)
    verified = settings.ingest.tls.client_ca_file or settings.operations.tls.client_ca_file
    if not verified and wrong.isdisjoint({"ingest.tls.client_ca_file", "operations.tls.client_ca_file"}):
        for key in dict.fromkeys(key for key, _ in patterns):
            message = "no listener verifies client certificates; set ingest.tls.client_ca_file"
            findings.problem(key, origins[key], f"{message} or operations.tls.client_ca_file")


def _check_connections(
    caller: CallerSettings, settings: Settings, origins: Mapping[str, str], findings: SettingFindings
) -> None:
    key = f"{CALLERS}.{caller.name}.connections"
    for name in caller.connections:
        if name == EVERY_CONNECTION or name in settings.connections:
            continue
        near = nearest(name, settings.connections)
        listed = f"did you mean {near}?" if near else f"write [{CONNECTIONS}.{name}], or leave it out"
        if origins[key] == "default":
            listed = 'name the connections that it may use, or ["*"] for all, or [] for none'
        findings.problem(key, origins[key], f"connection {name} is not configured; {listed}")


def _check_credentials(caller: CallerSettings, findings: SettingFindings) -> None:
    if not (caller.token_sha256 or caller.token_file or caller.certificate_names):
        message = "this caller has no credential; set token_sha256, token_file or certificate_names"
        findings.warn(f"{CALLERS}.{caller.name}", "no credential", message)
