"""`intercomd check` on certificates that are or soon will be useless."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from intercomd_daemon.cli.certificate_check import check_certificates
from intercomd_daemon.cli.preflight import CheckResult
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.forward.settings import UpstreamSettings, UpstreamTlsSettings
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.settings import OperationsSettings
from intercomd_daemon.rpc.settings import TlsSettings
from tls.certificates import uri_client

NOW = datetime(2026, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EXPIRED = (NOW - 90 * DAY, NOW - DAY)
EARLY = (NOW + DAY, NOW + 90 * DAY)
DUE = (NOW - 89 * DAY, NOW + DAY)
VALID = (NOW - DAY, NOW + 89 * DAY)
Times = tuple[datetime, datetime]


def write(path: Path, *times: Times, names: tuple[str, ...] = ("gateway.example",)) -> str:
    """Writes a certificate for each of the times, one after the other."""
    ca = trustme.CA()
    made = [ca.issue_cert(*names, not_before=first, not_after=last) for first, last in times]
    path.write_bytes(b"".join(each.cert_chain_pems[0].bytes() for each in made))
    return str(path)


def ingest(*listen: str, **files: str) -> Settings:
    return Settings(ingest=IngestSettings(listen=listen or ("0.0.0.0:50051",), tls=TlsSettings(**files)))


def found(settings: Settings) -> list[tuple[str, str, str]]:
    return [(each.level.value, each.subject, each.message) for each in check_certificates(settings, NOW)]


@pytest.mark.parametrize(
    ("times", "level", "text"),
    [
        (EXPIRED, "wrong", "own.pem expired at 2026-06-30T00:00:00Z: clients refuse the listener; renew it"),
        (EARLY, "note", "own.pem is not valid before 2026-07-02T00:00:00Z: until then clients refuse the listener"),
        (DUE, "note", "own.pem expires at 2026-07-02T00:00:00Z, in 1 d, then clients refuse the listener; renew it"),
        (VALID, "ok", "own.pem is valid until 2026-09-28T00:00:00Z, for gateway.example"),
    ],
)
def test_check_of_a_listener_states_when_its_certificate_is_valid(
    tmp_path: Path, times: Times, level: str, text: str
) -> None:
    own = write(tmp_path / "own.pem", times)
    ((found_level, subject, message),) = found(ingest(certificate_file=own))
    assert (found_level, subject) == (level, "ingest.tls")
    assert text in message


def test_check_covers_operations_agents_and_intermediates(tmp_path: Path) -> None:
    own = write(tmp_path / "own.pem", VALID, VALID, EXPIRED)
    settings = Settings(
        operations=OperationsSettings(
            listen="unix:/run/http.sock", grpc_listen="[::]:9091", tls=TlsSettings(certificate_file=own)
        ),
        upstream=UpstreamSettings(
            target="gateway:50051",
            tls=UpstreamTlsSettings(
                certificate_file=write(tmp_path / "agent.pem", EXPIRED), ca_file=write(tmp_path / "ca.pem", EXPIRED)
            ),
        ),
        connections={
            "eu": ConnectionSettings(name="eu", ca_file=write(tmp_path / "proxy.pem", EARLY)),
            "us": ConnectionSettings(name="us"),
        },
    )
    level_of = [(level, subject) for level, subject, _ in found(settings)]
    assert level_of == [
        ("ok", "operations.tls"),
        ("wrong", "operations.tls"),
        ("wrong", "upstream.tls"),
        ("wrong", "upstream.tls"),
        ("wrong", "connection eu"),
    ]
    texts = [message for _, _, message in found(settings)]
    assert "intermediate certificate 2 in" in texts[1]
    assert "the gateway refuses this agent" in texts[2]
    assert "the last one expired at 2026-06-30T00:00:00Z): every gateway certificate is refused" in texts[3]
    assert "the first one begins at 2026-07-02T00:00:00Z): every server certificate is refused" in texts[4]


@pytest.mark.parametrize(
    ("times", "levels"),
    [
        ((VALID,), []),
        ((EXPIRED, VALID), ["note"]),
        ((DUE, VALID), []),
        ((DUE, EXPIRED), ["note", "note"]),
        ((EXPIRED, EARLY), ["wrong"]),
    ],
)
def test_check_of_client_authorities_needs_one_that_is_valid(
    tmp_path: Path, times: tuple[Times, ...], levels: list[str]
) -> None:
    own = write(tmp_path / "own.pem", VALID)
    client_ca = write(tmp_path / "clients.pem", *times)
    first, *others = found(ingest(certificate_file=own, client_ca_file=client_ca))
    assert first[0] == "ok"
    assert [level for level, _, _ in others] == levels


@pytest.mark.parametrize(
    ("listen", "names", "missing"),
    [
        (("10.0.0.5:50051",), ("10.0.0.5",), []),
        (("10.0.0.5:50051", "[2001:db8::1]:50051"), ("10.0.0.5",), ["2001:db8::1"]),
        (("localhost:50051",), ("gateway.example",), ["localhost"]),
        (("shop.example.com:50051",), ("*.example.com",), []),
        (("0.0.0.0:50051", "unix:/run/intercomd.sock"), ("gateway.example",), []),
    ],
)
def test_check_names_the_addresses_that_a_certificate_is_not_for(
    tmp_path: Path, listen: tuple[str, ...], names: tuple[str, ...], missing: list[str]
) -> None:
    own = write(tmp_path / "own.pem", VALID, names=names)
    _, *others = found(ingest(*listen, certificate_file=own))
    assert [level for level, _, _ in others] == ["note"] * len(missing)
    for host, (_, _, message) in zip(missing, others, strict=True):
        assert f"not for {host} of ingest.listen" in message


def test_check_rejects_a_server_certificate_without_a_server_name(tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_bytes(uri_client(trustme.CA(), b"", "spiffe://prod/gateway").certificate)
    results: list[CheckResult] = check_certificates(ingest(certificate_file=str(own)), datetime.now(UTC))
    assert [each.level.value for each in results] == ["ok", "wrong"]
    assert "no DNS name or address" in results[1].message


def test_check_leaves_out_files_that_cannot_be_used(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert found(ingest(certificate_file=str(broken), client_ca_file=str(tmp_path / "absent.pem"))) == []
