"""Checks the settings of listeners as a whole: addresses that collide, and TLS that lacks a file."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import combinations

from intercomd_daemon.config.findings import SettingFindings
from intercomd_daemon.config.settings import Settings
from intercomd_daemon.config.variables import variable
from intercomd_daemon.rpc.settings import TlsSettings
from intercomd_daemon.setting.places import is_local, overlap

_LOCAL_INGEST = "127.0.0.1:50051"


def check_listeners(
    settings: Settings, origins: Mapping[str, str], wrong: AbstractSet[str], findings: SettingFindings
) -> None:
    """Adds missing settings and contradictions to the findings; keys in `wrong` have been reported already."""
    _check_addresses(settings, origins, findings)
    for section, tls in (("ingest.tls", settings.ingest.tls), ("operations.tls", settings.operations.tls)):
        _check_tls(section, tls, origins, wrong, findings)
    # A key in `wrong` may be the operator's choice, once it is corrected.
    if wrong.isdisjoint({"ingest.insecure", "ingest.tls.client_ca_file"}):
        _check_open_ingest(settings, origins, findings)
    if wrong.isdisjoint({"operations.insecure", "operations.tls.client_ca_file"}):
        _check_open_operations(settings, origins, findings)


def open_addresses(settings: Settings) -> dict[str, str]:
    """Returns the addresses that others reach without a credential, by key; of `ingest.listen` the first one."""
    ingest, operations = settings.ingest, settings.operations
    listeners: list[tuple[str, str]] = []
    if not ingest.tls.client_ca_file:
        listeners += [("ingest.listen", address) for address in ingest.listen]
    if not operations.tls.client_ca_file:
        listeners += [("operations.listen", operations.listen), ("operations.grpc_listen", operations.grpc_listen)]
    found: dict[str, str] = {}
    for key, address in listeners:
        if not settings.callers and not is_local(address):
            found.setdefault(key, address)
    return found


def _check_addresses(settings: Settings, origins: Mapping[str, str], findings: SettingFindings) -> None:
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


def _check_open_ingest(settings: Settings, origins: Mapping[str, str], findings: SettingFindings) -> None:
    """An address that others reach needs callers, a client CA, or the operator's word that it is safe."""
    key = "ingest.listen"
    address = open_addresses(settings).get(key)
    if address is None or settings.ingest.insecure:
        return
    message = (
        f"everyone who reaches {address} could publish; choose one: add callers ([callers.<name>], with "
        "`intercomd token`), require client certificates (ingest.tls.client_ca_file), listen for this machine alone "
        f"({variable(key)}={_LOCAL_INGEST}, as a sidecar), or leave it open ({variable('ingest.insecure')}=true)"
    )
    findings.problem(key, origins[key], message)


def _check_open_operations(settings: Settings, origins: Mapping[str, str], findings: SettingFindings) -> None:
    """The same for operations, which show personal data."""
    for key, address in open_addresses(settings).items():
        if not key.startswith("operations."):
            continue
        if settings.operations.insecure:
            message = f"everyone who reaches {address} has full access, personal data included; add [callers.<name>]"
            findings.warn(key, origins[key], message)
            continue
        message = (
            f"everyone who reaches {address} would have full access, personal data included; choose one: add callers "
            "([callers.<name>], with `intercomd token`), require client certificates (operations.tls.client_ca_file), "
            "listen on a loopback address or a Unix socket (probes and scrapers can use health.listen), or leave it "
            f"open ({variable('operations.insecure')}=true)"
        )
        findings.problem(key, origins[key], message)


def _check_tls(
    section: str, tls: TlsSettings, origins: Mapping[str, str], wrong: AbstractSet[str], findings: SettingFindings
) -> None:
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
        if given and not files[key] and f"{section}.{key}" not in wrong:
            findings.problem(f"{section}.{key}", "not set", f"{why}, or leave out {given} ({origins[given]})")
