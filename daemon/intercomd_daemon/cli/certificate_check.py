"""Checks how long the certificates in the settings' files are valid, and for which names.

Files that cannot be used are reported where the daemon's own code reads them, so they are left out here.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from intercomd_daemon import config
from intercomd_daemon.cli.format import duration, quantity
from intercomd_daemon.cli.preflight import CheckResult, Severity
from intercomd_daemon.rpc.certificates import Certificate, read_certificates
from intercomd_daemon.rpc.tls import FILE_BYTES_MAX
from intercomd_daemon.setting.places import host_of
from intercomd_daemon.watched_file import FileUnusable, WatchedFile

_SERVER_REFUSED = "clients refuse the listener"
_CLIENT_REFUSED = "the gateway refuses this agent"


def check_certificates(settings: config.Settings, now: datetime) -> list[CheckResult]:
    """Returns what there is to know about each certificate: its end, its names, and the fix if one is wrong."""
    ingest, operations, upstream = settings.ingest, settings.operations, settings.upstream.tls
    found: list[CheckResult] = []
    for section, tls, listen in (
        ("ingest.tls", ingest.tls, dict.fromkeys(ingest.listen, "ingest.listen")),
        (
            "operations.tls",
            operations.tls,
            {operations.listen: "operations.listen", operations.grpc_listen: "operations.grpc_listen"},
        ),
    ):
        chain = _read(tls.certificate_file)
        found += _check_chain(section, tls.certificate_file, chain, _SERVER_REFUSED, now)
        found += _check_names(section, tls.certificate_file, chain, listen)
        found += _check_authorities(section, tls.client_ca_file, "client", now)
    chain = _read(upstream.certificate_file)
    found += _check_chain("upstream.tls", upstream.certificate_file, chain, _CLIENT_REFUSED, now)
    found += _check_authorities("upstream.tls", upstream.ca_file, "gateway", now)
    for name, connection in settings.connections.items():
        found += _check_authorities(f"connection {name}", connection.ca_file, "server", now)
    return found


def _read(path: str) -> list[Certificate]:
    if not path:
        return []
    try:
        return read_certificates(WatchedFile(path, FILE_BYTES_MAX).read())
    except (FileUnusable, ValueError):
        return []


def _check_chain(
    section: str, path: str, chain: list[Certificate], effect: str, now: datetime
) -> Iterator[CheckResult]:
    """The first certificate of a chain is the listener's or agent's own; the others are intermediate authorities."""
    for place, each in enumerate(chain):
        what = path if not place else f"intermediate certificate {place} in {path}"
        if now > each.not_after:
            message = f"{what} expired at {_written(each.not_after)}: {effect}; renew it"
            yield CheckResult(Severity.WRONG, section, message)
        elif now < each.not_before:
            message = (
                f"{what} is not valid before {_written(each.not_before)}: until then {effect}; use a certificate that"
                " is valid now, or correct the clock of this host"
            )
            yield CheckResult(Severity.NOTE, section, message)
        elif each.is_due(now):
            left = duration((each.not_after - now).total_seconds())
            message = f"{what} expires at {_written(each.not_after)}, in {left}, then {effect}; renew it"
            yield CheckResult(Severity.NOTE, section, message)
        elif not place:
            names = f", for {', '.join(each.names)}" if each.names else ""
            yield CheckResult(Severity.OK, section, f"{what} is valid until {_written(each.not_after)}{names}")


def _check_names(section: str, path: str, chain: list[Certificate], listen: dict[str, str]) -> Iterator[CheckResult]:
    """Compares the names with the addresses of listeners; which names clients call a wildcard by is unknown."""
    if not chain:
        return
    own = chain[0]
    if not own.dns_names and not own.addresses:
        message = (
            f"{path} has no DNS name or address among its subject alternative names, so clients refuse it under every"
            " name; issue one with the names that clients call"
        )
        yield CheckResult(Severity.WRONG, section, message)
        return
    for address, key in listen.items():
        host = host_of(address)
        if host and not own.matches(host):
            message = (
                f"{path} is for {', '.join(own.names)}, not for {host} of {key}: clients that call this address need"
                f" one of these as server name; add {host} to the certificate if they have none"
            )
            yield CheckResult(Severity.NOTE, section, message)


def _check_authorities(section: str, path: str, peer: str, now: datetime) -> Iterator[CheckResult]:
    """A bundle may keep an authority that has ended, as long as another is valid."""
    authorities = _read(path)
    valid = [each for each in authorities if each.not_before <= now <= each.not_after]
    if authorities and not valid:
        message = (
            f"no certificate in {path} is valid now ({_ends(authorities, now)}): every {peer} certificate is refused;"
            " put the current authority there"
        )
        yield CheckResult(Severity.WRONG, section, message)
        return
    ended = [each for each in authorities if now > each.not_after]
    if ended:
        message = (
            f"{quantity(len(ended), 'certificate')} of {len(authorities)} in {path} expired, the last at"
            f" {_written(max(each.not_after for each in ended))}: {peer} certificates of these authorities are refused"
        )
        yield CheckResult(Severity.NOTE, section, message)
    if valid and all(each.is_due(now) for each in valid):
        message = (
            f"the last certificate in {path} expires at {_written(max(each.not_after for each in valid))}, then every"
            f" {peer} certificate is refused; add the next authority"
        )
        yield CheckResult(Severity.NOTE, section, message)


def _ends(authorities: Iterable[Certificate], now: datetime) -> str:
    ended = [each.not_after for each in authorities if now > each.not_after]
    if ended:
        return f"the last one expired at {_written(max(ended))}"
    return f"the first one begins at {_written(min(each.not_before for each in authorities))}"


def _written(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
