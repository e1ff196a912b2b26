"""Checks the settings of listeners as a whole: addresses that collide, and TLS that lacks a file."""

from collections.abc import Mapping
from itertools import combinations

from intercomd_daemon.config.findings import Findings
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.rpc.settings import TlsSettings
from intercomd_daemon.setting.places import overlap


def check_listeners(settings: Settings, origins: Mapping[str, str], findings: Findings) -> None:
    """Adds missing settings and contradictions to the findings."""
    _check_addresses(settings, origins, findings)
    for section, tls in (("ingest.tls", settings.ingest.tls), ("operations.tls", settings.operations.tls)):
        _check_tls(section, tls, origins, findings)


def _check_addresses(settings: Settings, origins: Mapping[str, str], findings: Findings) -> None:
    listeners = [
        *(("ingest.listen", address) for address in settings.ingest.listen),
        ("operations.listen", settings.operations.listen),
        ("operations.grpc_listen", settings.operations.grpc_listen),
        *(("health.listen", address) for address in settings.health.listen),
    ]
    for (key, address), (other_key, other) in combinations(listeners, 2):
        if overlap(address, other):
            message = f"{other} is taken by {address} of {key}; give each listener an address of its own"
            findings.problem(other_key, origins[other_key], message)


def _check_tls(section: str, tls: TlsSettings, origins: Mapping[str, str], findings: Findings) -> None:
    files = {
        "certificate_file": tls.certificate_file,
        "key_file": tls.key_file,
        "client_ca_file": tls.client_ca_file,
    }
    for key, why in (
        ("certificate_file", "TLS needs a certificate; name its file"),
        ("key_file", "TLS needs the private key of the certificate; name its file"),
    ):
        given = next((f"{section}.{name}" for name, path in files.items() if path), "")
        if given and not files[key]:
            findings.problem(f"{section}.{key}", "not set", f"{why}, or leave out {given} ({origins[given]})")
